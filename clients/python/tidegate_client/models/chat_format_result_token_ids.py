from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="ChatFormatResultTokenIds")


@_attrs_define
class ChatFormatResultTokenIds:
    """
    Attributes:
        bos_token_id (int):
        eos_token_id (int):
        pad_token_id (int):
    """

    bos_token_id: int
    eos_token_id: int
    pad_token_id: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        bos_token_id = self.bos_token_id

        eos_token_id = self.eos_token_id

        pad_token_id = self.pad_token_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "bos_token_id": bos_token_id,
                "eos_token_id": eos_token_id,
                "pad_token_id": pad_token_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        bos_token_id = d.pop("bos_token_id")

        eos_token_id = d.pop("eos_token_id")

        pad_token_id = d.pop("pad_token_id")

        chat_format_result_token_ids = cls(
            bos_token_id=bos_token_id,
            eos_token_id=eos_token_id,
            pad_token_id=pad_token_id,
        )

        chat_format_result_token_ids.additional_properties = d
        return chat_format_result_token_ids

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
