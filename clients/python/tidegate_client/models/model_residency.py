from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.model_residency_plan import ModelResidencyPlan
    from ..models.model_residency_servers_item import ModelResidencyServersItem


T = TypeVar("T", bound="ModelResidency")


@_attrs_define
class ModelResidency:
    """
    Attributes:
        model (str):
        servers (list[ModelResidencyServersItem]):
        plan (ModelResidencyPlan | Unset): When a DeepSpeed configuration was applied.
    """

    model: str
    servers: list[ModelResidencyServersItem]
    plan: ModelResidencyPlan | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        model = self.model

        servers = []
        for servers_item_data in self.servers:
            servers_item = servers_item_data.to_dict()
            servers.append(servers_item)

        plan: dict[str, Any] | Unset = UNSET
        if not isinstance(self.plan, Unset):
            plan = self.plan.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "model": model,
                "servers": servers,
            }
        )
        if plan is not UNSET:
            field_dict["plan"] = plan

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.model_residency_plan import ModelResidencyPlan
        from ..models.model_residency_servers_item import ModelResidencyServersItem

        d = dict(src_dict)
        model = d.pop("model")

        servers = []
        _servers = d.pop("servers")
        for servers_item_data in _servers:
            servers_item = ModelResidencyServersItem.from_dict(servers_item_data)

            servers.append(servers_item)

        _plan = d.pop("plan", UNSET)
        plan: ModelResidencyPlan | Unset
        if isinstance(_plan, Unset):
            plan = UNSET
        else:
            plan = ModelResidencyPlan.from_dict(_plan)

        model_residency = cls(
            model=model,
            servers=servers,
            plan=plan,
        )

        model_residency.additional_properties = d
        return model_residency

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
