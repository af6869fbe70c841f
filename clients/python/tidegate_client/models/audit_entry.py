from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="AuditEntry")


@_attrs_define
class AuditEntry:
    """
    Attributes:
        at (datetime.datetime):
        actor (str):
        action (str):  Example: POST /api/weight-syncs.
        request_id (str):
        outcome (str): HTTP status of the answer, or the final state of the sync.
        sync (str | Unset): Id of a weight sync. Example: ws_7d1f2c.
        version (int | Unset): An integer that only grows; the first weights served are 0. Example: 412.
        digest (str | Unset): sha256 over the sorted list of (name, dtype, shape, sha256 of the bytes) of all tensors.
            Example: sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.
    """

    at: datetime.datetime
    actor: str
    action: str
    request_id: str
    outcome: str
    sync: str | Unset = UNSET
    version: int | Unset = UNSET
    digest: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        at = self.at.isoformat()

        actor = self.actor

        action = self.action

        request_id = self.request_id

        outcome = self.outcome

        sync = self.sync

        version = self.version

        digest = self.digest

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "at": at,
                "actor": actor,
                "action": action,
                "request_id": request_id,
                "outcome": outcome,
            }
        )
        if sync is not UNSET:
            field_dict["sync"] = sync
        if version is not UNSET:
            field_dict["version"] = version
        if digest is not UNSET:
            field_dict["digest"] = digest

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        at = datetime.datetime.fromisoformat(d.pop("at"))

        actor = d.pop("actor")

        action = d.pop("action")

        request_id = d.pop("request_id")

        outcome = d.pop("outcome")

        sync = d.pop("sync", UNSET)

        version = d.pop("version", UNSET)

        digest = d.pop("digest", UNSET)

        audit_entry = cls(
            at=at,
            actor=actor,
            action=action,
            request_id=request_id,
            outcome=outcome,
            sync=sync,
            version=version,
            digest=digest,
        )

        audit_entry.additional_properties = d
        return audit_entry

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
