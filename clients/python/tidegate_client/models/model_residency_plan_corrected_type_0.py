from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.model_residency_plan_corrected_type_0_config import (
        ModelResidencyPlanCorrectedType0Config,
    )


T = TypeVar("T", bound="ModelResidencyPlanCorrectedType0")


@_attrs_define
class ModelResidencyPlanCorrectedType0:
    """
    Attributes:
        config (ModelResidencyPlanCorrectedType0Config):
    """

    config: ModelResidencyPlanCorrectedType0Config
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        config = self.config.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "config": config,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.model_residency_plan_corrected_type_0_config import (
            ModelResidencyPlanCorrectedType0Config,
        )

        d = dict(src_dict)
        config = ModelResidencyPlanCorrectedType0Config.from_dict(d.pop("config"))

        model_residency_plan_corrected_type_0 = cls(
            config=config,
        )

        model_residency_plan_corrected_type_0.additional_properties = d
        return model_residency_plan_corrected_type_0

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
