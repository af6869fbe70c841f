from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.completion_response_object import (
    CompletionResponseObject,
    check_completion_response_object,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.completion_choice import CompletionChoice
    from ..models.usage import Usage


T = TypeVar("T", bound="CompletionResponse")


@_attrs_define
class CompletionResponse:
    """
    Example:
        {'id': 'cmpl-6f1c', 'object': 'text_completion', 'created': 1795401568, 'model': 'tide-nano', 'choices':
            [{'index': 0, 'text': ' 42', 'logprobs': None, 'finish_reason': 'stop', 'stop_reason': None, 'token_ids': None,
            'prompt_logprobs': None, 'prompt_token_ids': None, 'routed_experts': None}], 'service_tier': None,
            'system_fingerprint': 'tidegate-0f0f0f0f', 'usage': {'prompt_tokens': 9, 'total_tokens': 11,
            'completion_tokens': 2, 'prompt_tokens_details': None, 'completion_tokens_details': None}, 'weight_version': 1,
            'weight_digest': 'sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'}

    Attributes:
        id (str):
        object_ (CompletionResponseObject):
        created (int):
        model (str):
        choices (list[CompletionChoice]):
        service_tier (None):
        system_fingerprint (None | str):
        usage (Usage):
        weight_version (int | str | Unset): Weights that made the answer; `7-8` when they changed meanwhile. Embedded
            replicas only.
        weight_digest (None | str | Unset):
    """

    id: str
    object_: CompletionResponseObject
    created: int
    model: str
    choices: list[CompletionChoice]
    service_tier: None
    system_fingerprint: None | str
    usage: Usage
    weight_version: int | str | Unset = UNSET
    weight_digest: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        object_: str = self.object_

        created = self.created

        model = self.model

        choices = []
        for choices_item_data in self.choices:
            choices_item = choices_item_data.to_dict()
            choices.append(choices_item)

        service_tier = self.service_tier

        system_fingerprint: None | str
        system_fingerprint = self.system_fingerprint

        usage = self.usage.to_dict()

        weight_version: int | str | Unset
        if isinstance(self.weight_version, Unset):
            weight_version = UNSET
        else:
            weight_version = self.weight_version

        weight_digest: None | str | Unset
        if isinstance(self.weight_digest, Unset):
            weight_digest = UNSET
        else:
            weight_digest = self.weight_digest

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "object": object_,
                "created": created,
                "model": model,
                "choices": choices,
                "service_tier": service_tier,
                "system_fingerprint": system_fingerprint,
                "usage": usage,
            }
        )
        if weight_version is not UNSET:
            field_dict["weight_version"] = weight_version
        if weight_digest is not UNSET:
            field_dict["weight_digest"] = weight_digest

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.completion_choice import CompletionChoice
        from ..models.usage import Usage

        d = dict(src_dict)
        id = d.pop("id")

        object_ = check_completion_response_object(d.pop("object"))

        created = d.pop("created")

        model = d.pop("model")

        choices = []
        _choices = d.pop("choices")
        for choices_item_data in _choices:
            choices_item = CompletionChoice.from_dict(choices_item_data)

            choices.append(choices_item)

        service_tier = d.pop("service_tier")

        def _parse_system_fingerprint(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        system_fingerprint = _parse_system_fingerprint(d.pop("system_fingerprint"))

        usage = Usage.from_dict(d.pop("usage"))

        def _parse_weight_version(data: object) -> int | str | Unset:
            if isinstance(data, Unset):
                return data
            return cast(int | str | Unset, data)

        weight_version = _parse_weight_version(d.pop("weight_version", UNSET))

        def _parse_weight_digest(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        weight_digest = _parse_weight_digest(d.pop("weight_digest", UNSET))

        completion_response = cls(
            id=id,
            object_=object_,
            created=created,
            model=model,
            choices=choices,
            service_tier=service_tier,
            system_fingerprint=system_fingerprint,
            usage=usage,
            weight_version=weight_version,
            weight_digest=weight_digest,
        )

        completion_response.additional_properties = d
        return completion_response

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
