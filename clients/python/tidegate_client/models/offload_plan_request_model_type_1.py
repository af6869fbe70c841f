from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="OffloadPlanRequestModelType1")


@_attrs_define
class OffloadPlanRequestModelType1:
    """What of `model.config` is looked at; then there is no model to place.

    Attributes:
        hidden_size (int | None | Unset):
        hidden_sizes (list[int] | None | Unset):
    """

    hidden_size: int | None | Unset = UNSET
    hidden_sizes: list[int] | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        hidden_size: int | None | Unset
        if isinstance(self.hidden_size, Unset):
            hidden_size = UNSET
        else:
            hidden_size = self.hidden_size

        hidden_sizes: list[int] | None | Unset
        if isinstance(self.hidden_sizes, Unset):
            hidden_sizes = UNSET
        elif isinstance(self.hidden_sizes, list):
            hidden_sizes = self.hidden_sizes

        else:
            hidden_sizes = self.hidden_sizes

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if hidden_size is not UNSET:
            field_dict["hidden_size"] = hidden_size
        if hidden_sizes is not UNSET:
            field_dict["hidden_sizes"] = hidden_sizes

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_hidden_size(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        hidden_size = _parse_hidden_size(d.pop("hidden_size", UNSET))

        def _parse_hidden_sizes(data: object) -> list[int] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                hidden_sizes_type_0 = cast(list[int], data)

                return hidden_sizes_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None | Unset, data)

        hidden_sizes = _parse_hidden_sizes(d.pop("hidden_sizes", UNSET))

        offload_plan_request_model_type_1 = cls(
            hidden_size=hidden_size,
            hidden_sizes=hidden_sizes,
        )

        offload_plan_request_model_type_1.additional_properties = d
        return offload_plan_request_model_type_1

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
