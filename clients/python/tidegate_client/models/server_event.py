from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.server_event_type import ServerEventType, check_server_event_type

if TYPE_CHECKING:
    from ..models.server import Server


T = TypeVar("T", bound="ServerEvent")


@_attrs_define
class ServerEvent:
    """
    Attributes:
        type_ (ServerEventType):
        server (Server):
    """

    type_: ServerEventType
    server: Server
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        type_: str = self.type_

        server = self.server.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "server": server,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.server import Server

        d = dict(src_dict)
        type_ = check_server_event_type(d.pop("type"))

        server = Server.from_dict(d.pop("server"))

        server_event = cls(
            type_=type_,
            server=server,
        )

        server_event.additional_properties = d
        return server_event

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
