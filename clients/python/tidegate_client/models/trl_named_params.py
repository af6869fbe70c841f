from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.trl_named_param import TrlNamedParam


T = TypeVar("T", bound="TrlNamedParams")


@_attrs_define
class TrlNamedParams:
    """
    Example:
        {'params': [{'name': 'model.norm.weight', 'dtype': 'torch.bfloat16', 'shape': [64]}]}

    Attributes:
        params (list[TrlNamedParam]):
    """

    params: list[TrlNamedParam]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        params = []
        for params_item_data in self.params:
            params_item = params_item_data.to_dict()
            params.append(params_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "params": params,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.trl_named_param import TrlNamedParam

        d = dict(src_dict)
        params = []
        _params = d.pop("params")
        for params_item_data in _params:
            params_item = TrlNamedParam.from_dict(params_item_data)

            params.append(params_item)

        trl_named_params = cls(
            params=params,
        )

        trl_named_params.additional_properties = d
        return trl_named_params

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
