from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..models.nccl_source_kind import NcclSourceKind, check_nccl_source_kind
from ..types import UNSET, Unset

T = TypeVar("T", bound="NcclSource")


@_attrs_define
class NcclSource:
    """
    Attributes:
        kind (NcclSourceKind):
        master_address (str):
        master_port (int):
        names (list[str] | Unset):
        dtype_names (list[str] | Unset):
        shapes (list[list[int]] | Unset):
    """

    kind: NcclSourceKind
    master_address: str
    master_port: int
    names: list[str] | Unset = UNSET
    dtype_names: list[str] | Unset = UNSET
    shapes: list[list[int]] | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        kind: str = self.kind

        master_address = self.master_address

        master_port = self.master_port

        names: list[str] | Unset = UNSET
        if not isinstance(self.names, Unset):
            names = self.names

        dtype_names: list[str] | Unset = UNSET
        if not isinstance(self.dtype_names, Unset):
            dtype_names = self.dtype_names

        shapes: list[list[int]] | Unset = UNSET
        if not isinstance(self.shapes, Unset):
            shapes = []
            for shapes_item_data in self.shapes:
                shapes_item = shapes_item_data

                shapes.append(shapes_item)

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "kind": kind,
                "master_address": master_address,
                "master_port": master_port,
            }
        )
        if names is not UNSET:
            field_dict["names"] = names
        if dtype_names is not UNSET:
            field_dict["dtype_names"] = dtype_names
        if shapes is not UNSET:
            field_dict["shapes"] = shapes

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        kind = check_nccl_source_kind(d.pop("kind"))

        master_address = d.pop("master_address")

        master_port = d.pop("master_port")

        names = cast(list[str], d.pop("names", UNSET))

        dtype_names = cast(list[str], d.pop("dtype_names", UNSET))

        _shapes = d.pop("shapes", UNSET)
        shapes: list[list[int]] | Unset = UNSET
        if _shapes is not UNSET:
            shapes = []
            for shapes_item_data in _shapes:
                shapes_item = cast(list[int], shapes_item_data)

                shapes.append(shapes_item)

        nccl_source = cls(
            kind=kind,
            master_address=master_address,
            master_port=master_port,
            names=names,
            dtype_names=dtype_names,
            shapes=shapes,
        )

        return nccl_source
