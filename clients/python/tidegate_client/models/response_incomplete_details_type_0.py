from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.response_incomplete_details_type_0_reason import (
    ResponseIncompleteDetailsType0Reason,
    check_response_incomplete_details_type_0_reason,
)

T = TypeVar("T", bound="ResponseIncompleteDetailsType0")


@_attrs_define
class ResponseIncompleteDetailsType0:
    """
    Attributes:
        reason (ResponseIncompleteDetailsType0Reason):
    """

    reason: ResponseIncompleteDetailsType0Reason
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        reason: str = self.reason

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "reason": reason,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        reason = check_response_incomplete_details_type_0_reason(d.pop("reason"))

        response_incomplete_details_type_0 = cls(
            reason=reason,
        )

        response_incomplete_details_type_0.additional_properties = d
        return response_incomplete_details_type_0

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
