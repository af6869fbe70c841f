from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.response_object import ResponseObject, check_response_object
from ..models.response_status import ResponseStatus, check_response_status
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.response_incomplete_details_type_0 import (
        ResponseIncompleteDetailsType0,
    )
    from ..models.response_output_message import ResponseOutputMessage
    from ..models.response_usage import ResponseUsage


T = TypeVar("T", bound="Response")


@_attrs_define
class Response:
    """
    Example:
        {'id': 'resp_6f1c', 'object': 'response', 'created_at': 1795401568, 'status': 'completed', 'model': 'tide-nano',
            'output': [{'id': 'msg_0f0f', 'type': 'message', 'role': 'assistant', 'status': 'completed', 'content':
            [{'type': 'output_text', 'text': '17 + 25 = 42', 'annotations': [], 'logprobs': []}]}], 'incomplete_details':
            None, 'usage': {'input_tokens': 16, 'input_tokens_details': {'cached_tokens': 0, 'cache_write_tokens': 0},
            'output_tokens': 8, 'output_tokens_details': {'reasoning_tokens': 0}, 'total_tokens': 24}, 'temperature': 0,
            'top_p': None, 'max_output_tokens': 32, 'store': False, 'weight_version': 1, 'weight_digest':
            'sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'}

    Attributes:
        id (str):
        object_ (ResponseObject):
        created_at (int):
        status (ResponseStatus):
        model (str):
        output (list[ResponseOutputMessage]):
        incomplete_details (None | ResponseIncompleteDetailsType0):
        usage (None | ResponseUsage):
        temperature (float | None): As asked for; null = the model's own.
        top_p (float | None):
        max_output_tokens (int | None):
        store (bool):
        weight_version (int | str | Unset): Weights that made the answer; `7-8` when they changed meanwhile. Embedded
            replicas only.
        weight_digest (None | str | Unset):
    """

    id: str
    object_: ResponseObject
    created_at: int
    status: ResponseStatus
    model: str
    output: list[ResponseOutputMessage]
    incomplete_details: None | ResponseIncompleteDetailsType0
    usage: None | ResponseUsage
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    store: bool
    weight_version: int | str | Unset = UNSET
    weight_digest: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.response_incomplete_details_type_0 import (
            ResponseIncompleteDetailsType0,
        )
        from ..models.response_usage import ResponseUsage

        id = self.id

        object_: str = self.object_

        created_at = self.created_at

        status: str = self.status

        model = self.model

        output = []
        for output_item_data in self.output:
            output_item = output_item_data.to_dict()
            output.append(output_item)

        incomplete_details: dict[str, Any] | None
        if isinstance(self.incomplete_details, ResponseIncompleteDetailsType0):
            incomplete_details = self.incomplete_details.to_dict()
        else:
            incomplete_details = self.incomplete_details

        usage: dict[str, Any] | None
        if isinstance(self.usage, ResponseUsage):
            usage = self.usage.to_dict()
        else:
            usage = self.usage

        temperature: float | None
        temperature = self.temperature

        top_p: float | None
        top_p = self.top_p

        max_output_tokens: int | None
        max_output_tokens = self.max_output_tokens

        store = self.store

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
                "created_at": created_at,
                "status": status,
                "model": model,
                "output": output,
                "incomplete_details": incomplete_details,
                "usage": usage,
                "temperature": temperature,
                "top_p": top_p,
                "max_output_tokens": max_output_tokens,
                "store": store,
            }
        )
        if weight_version is not UNSET:
            field_dict["weight_version"] = weight_version
        if weight_digest is not UNSET:
            field_dict["weight_digest"] = weight_digest

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.response_incomplete_details_type_0 import (
            ResponseIncompleteDetailsType0,
        )
        from ..models.response_output_message import ResponseOutputMessage
        from ..models.response_usage import ResponseUsage

        d = dict(src_dict)
        id = d.pop("id")

        object_ = check_response_object(d.pop("object"))

        created_at = d.pop("created_at")

        status = check_response_status(d.pop("status"))

        model = d.pop("model")

        output = []
        _output = d.pop("output")
        for output_item_data in _output:
            output_item = ResponseOutputMessage.from_dict(output_item_data)

            output.append(output_item)

        def _parse_incomplete_details(
            data: object,
        ) -> None | ResponseIncompleteDetailsType0:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                incomplete_details_type_0 = ResponseIncompleteDetailsType0.from_dict(
                    data
                )

                return incomplete_details_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | ResponseIncompleteDetailsType0, data)

        incomplete_details = _parse_incomplete_details(d.pop("incomplete_details"))

        def _parse_usage(data: object) -> None | ResponseUsage:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                usage_type_0 = ResponseUsage.from_dict(data)

                return usage_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | ResponseUsage, data)

        usage = _parse_usage(d.pop("usage"))

        def _parse_temperature(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        temperature = _parse_temperature(d.pop("temperature"))

        def _parse_top_p(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        top_p = _parse_top_p(d.pop("top_p"))

        def _parse_max_output_tokens(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        max_output_tokens = _parse_max_output_tokens(d.pop("max_output_tokens"))

        store = d.pop("store")

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

        response = cls(
            id=id,
            object_=object_,
            created_at=created_at,
            status=status,
            model=model,
            output=output,
            incomplete_details=incomplete_details,
            usage=usage,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=max_output_tokens,
            store=store,
            weight_version=weight_version,
            weight_digest=weight_digest,
        )

        response.additional_properties = d
        return response

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
