from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.tier import Tier, check_tier

T = TypeVar("T", bound="ModelResidencyPlanGroupsItem")


@_attrs_define
class ModelResidencyPlanGroupsItem:
    """
    Attributes:
        name (str):
        tier (Tier):
        bytes_ (int):
        elements (int):
    """

    name: str
    tier: Tier
    bytes_: int
    elements: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        name = self.name

        tier: str = self.tier

        bytes_ = self.bytes_

        elements = self.elements

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "name": name,
                "tier": tier,
                "bytes": bytes_,
                "elements": elements,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        name = d.pop("name")

        tier = check_tier(d.pop("tier"))

        bytes_ = d.pop("bytes")

        elements = d.pop("elements")

        model_residency_plan_groups_item = cls(
            name=name,
            tier=tier,
            bytes_=bytes_,
            elements=elements,
        )

        model_residency_plan_groups_item.additional_properties = d
        return model_residency_plan_groups_item

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
