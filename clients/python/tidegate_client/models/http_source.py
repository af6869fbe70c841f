from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..models.http_source_kind import HttpSourceKind, check_http_source_kind
from ..types import UNSET, Unset

T = TypeVar("T", bound="HttpSource")


@_attrs_define
class HttpSource:
    """
    Attributes:
        kind (HttpSourceKind):
        urls (list[str]):
        sha256 (list[str] | Unset): One per URL.
    """

    kind: HttpSourceKind
    urls: list[str]
    sha256: list[str] | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        kind: str = self.kind

        urls = self.urls

        sha256: list[str] | Unset = UNSET
        if not isinstance(self.sha256, Unset):
            sha256 = self.sha256

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "kind": kind,
                "urls": urls,
            }
        )
        if sha256 is not UNSET:
            field_dict["sha256"] = sha256

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        kind = check_http_source_kind(d.pop("kind"))

        urls = cast(list[str], d.pop("urls"))

        sha256 = cast(list[str], d.pop("sha256", UNSET))

        http_source = cls(
            kind=kind,
            urls=urls,
            sha256=sha256,
        )

        return http_source
