from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.fleet_state_event_type import (
    FleetStateEventType,
    check_fleet_state_event_type,
)

if TYPE_CHECKING:
    from ..models.fleet import Fleet


T = TypeVar("T", bound="FleetStateEvent")


@_attrs_define
class FleetStateEvent:
    """
    Attributes:
        type_ (FleetStateEventType):
        fleet (Fleet):
    """

    type_: FleetStateEventType
    fleet: Fleet
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        type_: str = self.type_

        fleet = self.fleet.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "fleet": fleet,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.fleet import Fleet

        d = dict(src_dict)
        type_ = check_fleet_state_event_type(d.pop("type"))

        fleet = Fleet.from_dict(d.pop("fleet"))

        fleet_state_event = cls(
            type_=type_,
            fleet=fleet,
        )

        fleet_state_event.additional_properties = d
        return fleet_state_event

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
