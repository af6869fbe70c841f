from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.generation_lease import GenerationLease


T = TypeVar("T", bound="LeaseList")


@_attrs_define
class LeaseList:
    """
    Attributes:
        generation_leases (list[GenerationLease]):
    """

    generation_leases: list[GenerationLease]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        generation_leases = []
        for generation_leases_item_data in self.generation_leases:
            generation_leases_item = generation_leases_item_data.to_dict()
            generation_leases.append(generation_leases_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "generation_leases": generation_leases,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.generation_lease import GenerationLease

        d = dict(src_dict)
        generation_leases = []
        _generation_leases = d.pop("generation_leases")
        for generation_leases_item_data in _generation_leases:
            generation_leases_item = GenerationLease.from_dict(
                generation_leases_item_data
            )

            generation_leases.append(generation_leases_item)

        lease_list = cls(
            generation_leases=generation_leases,
        )

        lease_list.additional_properties = d
        return lease_list

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
