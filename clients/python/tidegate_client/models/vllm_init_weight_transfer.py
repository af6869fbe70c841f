from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.vllm_init_weight_transfer_init_info import (
        VllmInitWeightTransferInitInfo,
    )


T = TypeVar("T", bound="VllmInitWeightTransfer")


@_attrs_define
class VllmInitWeightTransfer:
    """
    Example:
        {'init_info': {'master_address': '10.0.0.5', 'master_port': 51216, 'rank_offset': 1, 'world_size': 2}}

    Attributes:
        init_info (VllmInitWeightTransferInitInfo):
    """

    init_info: VllmInitWeightTransferInitInfo
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        init_info = self.init_info.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "init_info": init_info,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.vllm_init_weight_transfer_init_info import (
            VllmInitWeightTransferInitInfo,
        )

        d = dict(src_dict)
        init_info = VllmInitWeightTransferInitInfo.from_dict(d.pop("init_info"))

        vllm_init_weight_transfer = cls(
            init_info=init_info,
        )

        vllm_init_weight_transfer.additional_properties = d
        return vllm_init_weight_transfer

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
