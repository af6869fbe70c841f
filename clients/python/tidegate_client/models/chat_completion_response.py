from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.chat_completion_response_object import (
    ChatCompletionResponseObject,
    check_chat_completion_response_object,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.chat_choice import ChatChoice
    from ..models.prompt_logprobs_item_type_0 import PromptLogprobsItemType0
    from ..models.usage import Usage


T = TypeVar("T", bound="ChatCompletionResponse")


@_attrs_define
class ChatCompletionResponse:
    """
    Example:
        {'id': 'chatcmpl-6f1c', 'object': 'chat.completion', 'created': 1795401568, 'model': 'tide-nano', 'choices':
            [{'index': 0, 'message': {'role': 'assistant', 'content': '17 + 25 = 42', 'refusal': None, 'annotations': None,
            'audio': None, 'function_call': None, 'reasoning': None}, 'logprobs': None, 'finish_reason': 'stop',
            'stop_reason': None, 'token_ids': None, 'routed_experts': None}], 'service_tier': None, 'system_fingerprint':
            'tidegate-0f0f0f0f', 'usage': {'prompt_tokens': 16, 'total_tokens': 24, 'completion_tokens': 8,
            'prompt_tokens_details': None, 'completion_tokens_details': None}, 'prompt_logprobs': None, 'prompt_token_ids':
            None, 'weight_version': 1, 'weight_digest':
            'sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'}

    Attributes:
        id (str):
        object_ (ChatCompletionResponseObject):
        created (int):
        model (str):
        choices (list[ChatChoice]):
        service_tier (None):
        system_fingerprint (None | str):
        usage (Usage):
        prompt_logprobs (list[None | PromptLogprobsItemType0] | None):
        prompt_token_ids (list[int] | None):
        weight_version (int | str | Unset): Weights that made the answer; `7-8` when they changed meanwhile. Embedded
            replicas only.
        weight_digest (None | str | Unset):
    """

    id: str
    object_: ChatCompletionResponseObject
    created: int
    model: str
    choices: list[ChatChoice]
    service_tier: None
    system_fingerprint: None | str
    usage: Usage
    prompt_logprobs: list[None | PromptLogprobsItemType0] | None
    prompt_token_ids: list[int] | None
    weight_version: int | str | Unset = UNSET
    weight_digest: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.prompt_logprobs_item_type_0 import PromptLogprobsItemType0

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

        prompt_logprobs: list[dict[str, Any] | None] | None
        if isinstance(self.prompt_logprobs, list):
            prompt_logprobs = []
            for componentsschemas_prompt_logprobs_item_data in self.prompt_logprobs:
                componentsschemas_prompt_logprobs_item: dict[str, Any] | None
                if isinstance(
                    componentsschemas_prompt_logprobs_item_data, PromptLogprobsItemType0
                ):
                    componentsschemas_prompt_logprobs_item = (
                        componentsschemas_prompt_logprobs_item_data.to_dict()
                    )
                else:
                    componentsschemas_prompt_logprobs_item = (
                        componentsschemas_prompt_logprobs_item_data
                    )
                prompt_logprobs.append(componentsschemas_prompt_logprobs_item)

        else:
            prompt_logprobs = self.prompt_logprobs

        prompt_token_ids: list[int] | None
        if isinstance(self.prompt_token_ids, list):
            prompt_token_ids = self.prompt_token_ids

        else:
            prompt_token_ids = self.prompt_token_ids

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
                "prompt_logprobs": prompt_logprobs,
                "prompt_token_ids": prompt_token_ids,
            }
        )
        if weight_version is not UNSET:
            field_dict["weight_version"] = weight_version
        if weight_digest is not UNSET:
            field_dict["weight_digest"] = weight_digest

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.chat_choice import ChatChoice
        from ..models.prompt_logprobs_item_type_0 import PromptLogprobsItemType0
        from ..models.usage import Usage

        d = dict(src_dict)
        id = d.pop("id")

        object_ = check_chat_completion_response_object(d.pop("object"))

        created = d.pop("created")

        model = d.pop("model")

        choices = []
        _choices = d.pop("choices")
        for choices_item_data in _choices:
            choices_item = ChatChoice.from_dict(choices_item_data)

            choices.append(choices_item)

        service_tier = d.pop("service_tier")

        def _parse_system_fingerprint(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        system_fingerprint = _parse_system_fingerprint(d.pop("system_fingerprint"))

        usage = Usage.from_dict(d.pop("usage"))

        def _parse_prompt_logprobs(
            data: object,
        ) -> list[None | PromptLogprobsItemType0] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                prompt_logprobs_type_0 = []
                _prompt_logprobs_type_0 = data
                for (
                    componentsschemas_prompt_logprobs_item_data
                ) in _prompt_logprobs_type_0:

                    def _parse_componentsschemas_prompt_logprobs_item(
                        data: object,
                    ) -> None | PromptLogprobsItemType0:
                        if data is None:
                            return data
                        try:
                            if not isinstance(data, dict):
                                raise TypeError()
                            componentsschemas_prompt_logprobs_item_type_0 = (
                                PromptLogprobsItemType0.from_dict(data)
                            )

                            return componentsschemas_prompt_logprobs_item_type_0
                        except (TypeError, ValueError, AttributeError, KeyError):
                            pass
                        return cast(None | PromptLogprobsItemType0, data)

                    componentsschemas_prompt_logprobs_item = (
                        _parse_componentsschemas_prompt_logprobs_item(
                            componentsschemas_prompt_logprobs_item_data
                        )
                    )

                    prompt_logprobs_type_0.append(
                        componentsschemas_prompt_logprobs_item
                    )

                return prompt_logprobs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[None | PromptLogprobsItemType0] | None, data)

        prompt_logprobs = _parse_prompt_logprobs(d.pop("prompt_logprobs"))

        def _parse_prompt_token_ids(data: object) -> list[int] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                prompt_token_ids_type_0 = cast(list[int], data)

                return prompt_token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None, data)

        prompt_token_ids = _parse_prompt_token_ids(d.pop("prompt_token_ids"))

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

        chat_completion_response = cls(
            id=id,
            object_=object_,
            created=created,
            model=model,
            choices=choices,
            service_tier=service_tier,
            system_fingerprint=system_fingerprint,
            usage=usage,
            prompt_logprobs=prompt_logprobs,
            prompt_token_ids=prompt_token_ids,
            weight_version=weight_version,
            weight_digest=weight_digest,
        )

        chat_completion_response.additional_properties = d
        return chat_completion_response

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
