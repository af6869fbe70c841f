from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.model_residency_plan_residency_device import (
    ModelResidencyPlanResidencyDevice,
    check_model_residency_plan_residency_device,
)

T = TypeVar("T", bound="ModelResidencyPlanResidency")


@_attrs_define
class ModelResidencyPlanResidency:
    """What decides where weights live.

    Attributes:
        device (ModelResidencyPlanResidencyDevice):
        max_in_cpu (int | None): Elements kept in memory; null = no limit.
        buffer_count (int): Groups under way from disk at a time; 0 when nothing is streamed.
        pin_memory (bool):
    """

    device: ModelResidencyPlanResidencyDevice
    max_in_cpu: int | None
    buffer_count: int
    pin_memory: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        device: str = self.device

        max_in_cpu: int | None
        max_in_cpu = self.max_in_cpu

        buffer_count = self.buffer_count

        pin_memory = self.pin_memory

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "device": device,
                "max_in_cpu": max_in_cpu,
                "buffer_count": buffer_count,
                "pin_memory": pin_memory,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        device = check_model_residency_plan_residency_device(d.pop("device"))

        def _parse_max_in_cpu(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        max_in_cpu = _parse_max_in_cpu(d.pop("max_in_cpu"))

        buffer_count = d.pop("buffer_count")

        pin_memory = d.pop("pin_memory")

        model_residency_plan_residency = cls(
            device=device,
            max_in_cpu=max_in_cpu,
            buffer_count=buffer_count,
            pin_memory=pin_memory,
        )

        model_residency_plan_residency.additional_properties = d
        return model_residency_plan_residency

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
