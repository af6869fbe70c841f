from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.tier import Tier, check_tier

T = TypeVar("T", bound="ResidencyDirectiveGroups")


@_attrs_define
class ResidencyDirectiveGroups:
    """Tier by group name. Groups not named stay in memory as the budget allows.

    Example:
        {}

    """

    additional_properties: dict[str, Tier] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:

        field_dict: dict[str, Any] = {}
        for prop_name, prop in self.additional_properties.items():
            field_dict[prop_name] = prop

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        residency_directive_groups = cls()

        additional_properties = {}
        for prop_name, prop_dict in d.items():
            additional_property = check_tier(prop_dict)

            additional_properties[prop_name] = additional_property

        residency_directive_groups.additional_properties = additional_properties
        return residency_directive_groups

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Tier:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Tier) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
