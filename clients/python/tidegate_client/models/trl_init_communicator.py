from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="TrlInitCommunicator")


@_attrs_define
class TrlInitCommunicator:
    """
    Example:
        {'host': '0.0.0.0', 'port': 51216, 'world_size': 2, 'client_device_uuid': 'GPU-1'}

    Attributes:
        host (str):
        port (int):
        world_size (int):
        client_device_uuid (None | str | Unset):
    """

    host: str
    port: int
    world_size: int
    client_device_uuid: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        host = self.host

        port = self.port

        world_size = self.world_size

        client_device_uuid: None | str | Unset
        if isinstance(self.client_device_uuid, Unset):
            client_device_uuid = UNSET
        else:
            client_device_uuid = self.client_device_uuid

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "host": host,
                "port": port,
                "world_size": world_size,
            }
        )
        if client_device_uuid is not UNSET:
            field_dict["client_device_uuid"] = client_device_uuid

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        host = d.pop("host")

        port = d.pop("port")

        world_size = d.pop("world_size")

        def _parse_client_device_uuid(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        client_device_uuid = _parse_client_device_uuid(
            d.pop("client_device_uuid", UNSET)
        )

        trl_init_communicator = cls(
            host=host,
            port=port,
            world_size=world_size,
            client_device_uuid=client_device_uuid,
        )

        trl_init_communicator.additional_properties = d
        return trl_init_communicator

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
