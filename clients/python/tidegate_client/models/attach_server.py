from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.attach_server_kind import AttachServerKind, check_attach_server_kind
from ..types import UNSET, Unset

T = TypeVar("T", bound="AttachServer")


@_attrs_define
class AttachServer:
    """
    Attributes:
        url (str): Base URL of the server, without a path. Example: http://127.0.0.1:8001.
        id (str | Unset): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        kind (AttachServerKind | Unset):  Default: 'auto'.
        weight (float | Unset): Share of the requests under `--policy weighted`, relative to the other servers. Default
            1.
    """

    url: str
    id: str | Unset = UNSET
    kind: AttachServerKind | Unset = "auto"
    weight: float | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        url = self.url

        id = self.id

        kind: str | Unset = UNSET
        if not isinstance(self.kind, Unset):
            kind = self.kind

        weight = self.weight

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "url": url,
            }
        )
        if id is not UNSET:
            field_dict["id"] = id
        if kind is not UNSET:
            field_dict["kind"] = kind
        if weight is not UNSET:
            field_dict["weight"] = weight

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        url = d.pop("url")

        id = d.pop("id", UNSET)

        _kind = d.pop("kind", UNSET)
        kind: AttachServerKind | Unset
        if isinstance(_kind, Unset):
            kind = UNSET
        else:
            kind = check_attach_server_kind(_kind)

        weight = d.pop("weight", UNSET)

        attach_server = cls(
            url=url,
            id=id,
            kind=kind,
            weight=weight,
        )

        return attach_server
