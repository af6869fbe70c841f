from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="VllmStartWeightUpdate")


@_attrs_define
class VllmStartWeightUpdate:
    """
    Example:
        {}

    Attributes:
        is_checkpoint_format (bool | None | Unset):
    """

    is_checkpoint_format: bool | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        is_checkpoint_format: bool | None | Unset
        if isinstance(self.is_checkpoint_format, Unset):
            is_checkpoint_format = UNSET
        else:
            is_checkpoint_format = self.is_checkpoint_format

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if is_checkpoint_format is not UNSET:
            field_dict["is_checkpoint_format"] = is_checkpoint_format

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_is_checkpoint_format(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        is_checkpoint_format = _parse_is_checkpoint_format(
            d.pop("is_checkpoint_format", UNSET)
        )

        vllm_start_weight_update = cls(
            is_checkpoint_format=is_checkpoint_format,
        )

        vllm_start_weight_update.additional_properties = d
        return vllm_start_weight_update

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
