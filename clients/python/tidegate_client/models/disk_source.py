from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.disk_source_kind import DiskSourceKind, check_disk_source_kind

T = TypeVar("T", bound="DiskSource")


@_attrs_define
class DiskSource:
    """
    Attributes:
        kind (DiskSourceKind):
        path (str): Model directory or one .safetensors file, on the gateway's machine.
    """

    kind: DiskSourceKind
    path: str

    def to_dict(self) -> dict[str, Any]:
        kind: str = self.kind

        path = self.path

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "kind": kind,
                "path": path,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        kind = check_disk_source_kind(d.pop("kind"))

        path = d.pop("path")

        disk_source = cls(
            kind=kind,
            path=path,
        )

        return disk_source
