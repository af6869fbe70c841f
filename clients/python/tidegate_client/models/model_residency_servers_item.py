from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.residency_report import ResidencyReport


T = TypeVar("T", bound="ModelResidencyServersItem")


@_attrs_define
class ModelResidencyServersItem:
    """
    Attributes:
        id (str): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        residency (ResidencyReport): Measured by the worker. On a CPU, device and cpu are one memory and count as cpu.
    """

    id: str
    residency: ResidencyReport
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        residency = self.residency.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "residency": residency,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.residency_report import ResidencyReport

        d = dict(src_dict)
        id = d.pop("id")

        residency = ResidencyReport.from_dict(d.pop("residency"))

        model_residency_servers_item = cls(
            id=id,
            residency=residency,
        )

        model_residency_servers_item.additional_properties = d
        return model_residency_servers_item

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
