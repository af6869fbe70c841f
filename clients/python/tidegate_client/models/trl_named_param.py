from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="TrlNamedParam")


@_attrs_define
class TrlNamedParam:
    """
    Example:
        {'name': 'model.norm.weight', 'dtype': 'torch.bfloat16', 'shape': [64]}

    Attributes:
        name (str):
        dtype (str):
        shape (list[int]):
    """

    name: str
    dtype: str
    shape: list[int]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        name = self.name

        dtype = self.dtype

        shape = self.shape

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "name": name,
                "dtype": dtype,
                "shape": shape,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        name = d.pop("name")

        dtype = d.pop("dtype")

        shape = cast(list[int], d.pop("shape"))

        trl_named_param = cls(
            name=name,
            dtype=dtype,
            shape=shape,
        )

        trl_named_param.additional_properties = d
        return trl_named_param

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
