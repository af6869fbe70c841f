from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.not_ready_servers_item import NotReadyServersItem


T = TypeVar("T", bound="NotReady")


@_attrs_define
class NotReady:
    """
    Example:
        {'detail': 'No replica is ready.', 'servers': [{'id': 'embedded-0', 'state': 'starting', 'reason': 'loading the
            model'}]}

    Attributes:
        detail (str):
        servers (list[NotReadyServersItem]):
    """

    detail: str
    servers: list[NotReadyServersItem]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        detail = self.detail

        servers = []
        for servers_item_data in self.servers:
            servers_item = servers_item_data.to_dict()
            servers.append(servers_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "detail": detail,
                "servers": servers,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.not_ready_servers_item import NotReadyServersItem

        d = dict(src_dict)
        detail = d.pop("detail")

        servers = []
        _servers = d.pop("servers")
        for servers_item_data in _servers:
            servers_item = NotReadyServersItem.from_dict(servers_item_data)

            servers.append(servers_item)

        not_ready = cls(
            detail=detail,
            servers=servers,
        )

        not_ready.additional_properties = d
        return not_ready

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
