from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.readiness_servers_item import ReadinessServersItem


T = TypeVar("T", bound="Readiness")


@_attrs_define
class Readiness:
    """
    Example:
        {'ready': True, 'reason': None, 'servers': [{'id': 'embedded-0', 'state': 'ready', 'reason': None}]}

    Attributes:
        ready (bool):
        reason (None | str): Why not; null when ready.
        servers (list[ReadinessServersItem]):
    """

    ready: bool
    reason: None | str
    servers: list[ReadinessServersItem]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        ready = self.ready

        reason: None | str
        reason = self.reason

        servers = []
        for servers_item_data in self.servers:
            servers_item = servers_item_data.to_dict()
            servers.append(servers_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "ready": ready,
                "reason": reason,
                "servers": servers,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.readiness_servers_item import ReadinessServersItem

        d = dict(src_dict)
        ready = d.pop("ready")

        def _parse_reason(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        reason = _parse_reason(d.pop("reason"))

        servers = []
        _servers = d.pop("servers")
        for servers_item_data in _servers:
            servers_item = ReadinessServersItem.from_dict(servers_item_data)

            servers.append(servers_item)

        readiness = cls(
            ready=ready,
            reason=reason,
            servers=servers,
        )

        readiness.additional_properties = d
        return readiness

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
