from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.fleet_state import FleetState, check_fleet_state

if TYPE_CHECKING:
    from ..models.server import Server


T = TypeVar("T", bound="Fleet")


@_attrs_define
class Fleet:
    """
    Attributes:
        state (FleetState): `degraded`: some replica cannot serve; `unavailable`: none can.
        weight_version (int): An integer that only grows; the first weights served are 0. Example: 412.
        weight_digest (None | str):
        world_size (int):
        servers (list[Server]):
        active_sync (None | str):
    """

    state: FleetState
    weight_version: int
    weight_digest: None | str
    world_size: int
    servers: list[Server]
    active_sync: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        state: str = self.state

        weight_version = self.weight_version

        weight_digest: None | str
        weight_digest = self.weight_digest

        world_size = self.world_size

        servers = []
        for servers_item_data in self.servers:
            servers_item = servers_item_data.to_dict()
            servers.append(servers_item)

        active_sync: None | str
        active_sync = self.active_sync

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "state": state,
                "weight_version": weight_version,
                "weight_digest": weight_digest,
                "world_size": world_size,
                "servers": servers,
                "active_sync": active_sync,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.server import Server

        d = dict(src_dict)
        state = check_fleet_state(d.pop("state"))

        weight_version = d.pop("weight_version")

        def _parse_weight_digest(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        weight_digest = _parse_weight_digest(d.pop("weight_digest"))

        world_size = d.pop("world_size")

        servers = []
        _servers = d.pop("servers")
        for servers_item_data in _servers:
            servers_item = Server.from_dict(servers_item_data)

            servers.append(servers_item)

        def _parse_active_sync(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        active_sync = _parse_active_sync(d.pop("active_sync"))

        fleet = cls(
            state=state,
            weight_version=weight_version,
            weight_digest=weight_digest,
            world_size=world_size,
            servers=servers,
            active_sync=active_sync,
        )

        fleet.additional_properties = d
        return fleet

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
