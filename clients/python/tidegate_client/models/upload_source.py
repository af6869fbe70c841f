from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.upload_source_kind import UploadSourceKind, check_upload_source_kind

T = TypeVar("T", bound="UploadSource")


@_attrs_define
class UploadSource:
    """The body of the request that started the sync.

    Attributes:
        kind (UploadSourceKind):
    """

    kind: UploadSourceKind

    def to_dict(self) -> dict[str, Any]:
        kind: str = self.kind

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "kind": kind,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        kind = check_upload_source_kind(d.pop("kind"))

        upload_source = cls(
            kind=kind,
        )

        return upload_source
