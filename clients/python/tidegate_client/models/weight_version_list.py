from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.weight_version_record import WeightVersionRecord


T = TypeVar("T", bound="WeightVersionList")


@_attrs_define
class WeightVersionList:
    """
    Attributes:
        weight_versions (list[WeightVersionRecord]):
    """

    weight_versions: list[WeightVersionRecord]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        weight_versions = []
        for weight_versions_item_data in self.weight_versions:
            weight_versions_item = weight_versions_item_data.to_dict()
            weight_versions.append(weight_versions_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "weight_versions": weight_versions,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.weight_version_record import WeightVersionRecord

        d = dict(src_dict)
        weight_versions = []
        _weight_versions = d.pop("weight_versions")
        for weight_versions_item_data in _weight_versions:
            weight_versions_item = WeightVersionRecord.from_dict(
                weight_versions_item_data
            )

            weight_versions.append(weight_versions_item)

        weight_version_list = cls(
            weight_versions=weight_versions,
        )

        weight_version_list.additional_properties = d
        return weight_version_list

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
