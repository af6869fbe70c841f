from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="ServerResidencyType0Bytes")


@_attrs_define
class ServerResidencyType0Bytes:
    """Weights by tier, as float32, every byte once. On a CPU device and cpu are one: cpu.

    Attributes:
        device (int):
        cpu (int):
        disk (int):
    """

    device: int
    cpu: int
    disk: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        device = self.device

        cpu = self.cpu

        disk = self.disk

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "device": device,
                "cpu": cpu,
                "disk": disk,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        device = d.pop("device")

        cpu = d.pop("cpu")

        disk = d.pop("disk")

        server_residency_type_0_bytes = cls(
            device=device,
            cpu=cpu,
            disk=disk,
        )

        server_residency_type_0_bytes.additional_properties = d
        return server_residency_type_0_bytes

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
