from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.vllm_update_weights_update_info_type_0 import (
        VllmUpdateWeightsUpdateInfoType0,
    )
    from ..models.vllm_update_weights_update_info_type_1_item import (
        VllmUpdateWeightsUpdateInfoType1Item,
    )


T = TypeVar("T", bound="VllmUpdateWeights")


@_attrs_define
class VllmUpdateWeights:
    """
    Example:
        {'update_info': {'names': ['model.norm.weight'], 'dtype_names': ['bfloat16'], 'shapes': [[64]]}}

    Attributes:
        update_info (list[VllmUpdateWeightsUpdateInfoType1Item] | VllmUpdateWeightsUpdateInfoType0):
    """

    update_info: (
        list[VllmUpdateWeightsUpdateInfoType1Item] | VllmUpdateWeightsUpdateInfoType0
    )
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.vllm_update_weights_update_info_type_0 import (
            VllmUpdateWeightsUpdateInfoType0,
        )

        update_info: dict[str, Any] | list[dict[str, Any]]
        if isinstance(self.update_info, VllmUpdateWeightsUpdateInfoType0):
            update_info = self.update_info.to_dict()
        else:
            update_info = []
            for update_info_type_1_item_data in self.update_info:
                update_info_type_1_item = update_info_type_1_item_data.to_dict()
                update_info.append(update_info_type_1_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "update_info": update_info,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.vllm_update_weights_update_info_type_0 import (
            VllmUpdateWeightsUpdateInfoType0,
        )
        from ..models.vllm_update_weights_update_info_type_1_item import (
            VllmUpdateWeightsUpdateInfoType1Item,
        )

        d = dict(src_dict)

        def _parse_update_info(
            data: object,
        ) -> (
            list[VllmUpdateWeightsUpdateInfoType1Item]
            | VllmUpdateWeightsUpdateInfoType0
        ):
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                update_info_type_0 = VllmUpdateWeightsUpdateInfoType0.from_dict(data)

                return update_info_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, list):
                raise TypeError()
            update_info_type_1 = []
            _update_info_type_1 = data
            for update_info_type_1_item_data in _update_info_type_1:
                update_info_type_1_item = (
                    VllmUpdateWeightsUpdateInfoType1Item.from_dict(
                        update_info_type_1_item_data
                    )
                )

                update_info_type_1.append(update_info_type_1_item)

            return update_info_type_1

        update_info = _parse_update_info(d.pop("update_info"))

        vllm_update_weights = cls(
            update_info=update_info,
        )

        vllm_update_weights.additional_properties = d
        return vllm_update_weights

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
