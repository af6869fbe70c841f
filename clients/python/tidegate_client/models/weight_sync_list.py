from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.weight_sync import WeightSync


T = TypeVar("T", bound="WeightSyncList")


@_attrs_define
class WeightSyncList:
    """
    Attributes:
        weight_syncs (list[WeightSync]):
    """

    weight_syncs: list[WeightSync]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        weight_syncs = []
        for weight_syncs_item_data in self.weight_syncs:
            weight_syncs_item = weight_syncs_item_data.to_dict()
            weight_syncs.append(weight_syncs_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "weight_syncs": weight_syncs,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.weight_sync import WeightSync

        d = dict(src_dict)
        weight_syncs = []
        _weight_syncs = d.pop("weight_syncs")
        for weight_syncs_item_data in _weight_syncs:
            weight_syncs_item = WeightSync.from_dict(weight_syncs_item_data)

            weight_syncs.append(weight_syncs_item)

        weight_sync_list = cls(
            weight_syncs=weight_syncs,
        )

        weight_sync_list.additional_properties = d
        return weight_sync_list

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
