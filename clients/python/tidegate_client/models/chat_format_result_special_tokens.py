from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="ChatFormatResultSpecialTokens")


@_attrs_define
class ChatFormatResultSpecialTokens:
    """
    Attributes:
        bos_token (str):
        eos_token (str):
        pad_token (str):
    """

    bos_token: str
    eos_token: str
    pad_token: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        bos_token = self.bos_token

        eos_token = self.eos_token

        pad_token = self.pad_token

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "bos_token": bos_token,
                "eos_token": eos_token,
                "pad_token": pad_token,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        bos_token = d.pop("bos_token")

        eos_token = d.pop("eos_token")

        pad_token = d.pop("pad_token")

        chat_format_result_special_tokens = cls(
            bos_token=bos_token,
            eos_token=eos_token,
            pad_token=pad_token,
        )

        chat_format_result_special_tokens.additional_properties = d
        return chat_format_result_special_tokens

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
