from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.vllm_message_servers_item import VllmMessageServersItem


T = TypeVar("T", bound="VllmMessage")


@_attrs_define
class VllmMessage:
    """
    Attributes:
        message (str):
        servers (list[VllmMessageServersItem] | Unset): One per server.
        version (int | Unset): The fleet's new version, after a finish.
        weight_version (str | Unset): The label that the servers now carry.
        sync (str | Unset): Id of the weight sync in `GET /api/weight-syncs`.
    """

    message: str
    servers: list[VllmMessageServersItem] | Unset = UNSET
    version: int | Unset = UNSET
    weight_version: str | Unset = UNSET
    sync: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        message = self.message

        servers: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.servers, Unset):
            servers = []
            for servers_item_data in self.servers:
                servers_item = servers_item_data.to_dict()
                servers.append(servers_item)

        version = self.version

        weight_version = self.weight_version

        sync = self.sync

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "message": message,
            }
        )
        if servers is not UNSET:
            field_dict["servers"] = servers
        if version is not UNSET:
            field_dict["version"] = version
        if weight_version is not UNSET:
            field_dict["weight_version"] = weight_version
        if sync is not UNSET:
            field_dict["sync"] = sync

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.vllm_message_servers_item import VllmMessageServersItem

        d = dict(src_dict)
        message = d.pop("message")

        _servers = d.pop("servers", UNSET)
        servers: list[VllmMessageServersItem] | Unset = UNSET
        if _servers is not UNSET:
            servers = []
            for servers_item_data in _servers:
                servers_item = VllmMessageServersItem.from_dict(servers_item_data)

                servers.append(servers_item)

        version = d.pop("version", UNSET)

        weight_version = d.pop("weight_version", UNSET)

        sync = d.pop("sync", UNSET)

        vllm_message = cls(
            message=message,
            servers=servers,
            version=version,
            weight_version=weight_version,
            sync=sync,
        )

        vllm_message.additional_properties = d
        return vllm_message

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
