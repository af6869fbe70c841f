from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="VllmLoadLoraAdapter")


@_attrs_define
class VllmLoadLoraAdapter:
    """
    Example:
        {'lora_name': 'policy-v7', 'lora_path': '/shared/adapters/7'}

    Attributes:
        lora_name (str): What requests name as their `model`.
        lora_path (str): A PEFT directory that every server can read.
        load_inplace (bool | Unset): Also where the name is taken: requests that use it wait until all servers have the
            new one. Default: False.
        is_3d_lora_weight (bool | Unset):  Default: False.
    """

    lora_name: str
    lora_path: str
    load_inplace: bool | Unset = False
    is_3d_lora_weight: bool | Unset = False
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        lora_name = self.lora_name

        lora_path = self.lora_path

        load_inplace = self.load_inplace

        is_3d_lora_weight = self.is_3d_lora_weight

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "lora_name": lora_name,
                "lora_path": lora_path,
            }
        )
        if load_inplace is not UNSET:
            field_dict["load_inplace"] = load_inplace
        if is_3d_lora_weight is not UNSET:
            field_dict["is_3d_lora_weight"] = is_3d_lora_weight

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        lora_name = d.pop("lora_name")

        lora_path = d.pop("lora_path")

        load_inplace = d.pop("load_inplace", UNSET)

        is_3d_lora_weight = d.pop("is_3d_lora_weight", UNSET)

        vllm_load_lora_adapter = cls(
            lora_name=lora_name,
            lora_path=lora_path,
            load_inplace=load_inplace,
            is_3d_lora_weight=is_3d_lora_weight,
        )

        vllm_load_lora_adapter.additional_properties = d
        return vllm_load_lora_adapter

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
