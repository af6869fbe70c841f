from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.sync_server_phase import SyncServerPhase, check_sync_server_phase
from ..models.sync_server_verified import SyncServerVerified, check_sync_server_verified
from ..types import UNSET, Unset

T = TypeVar("T", bound="SyncServer")


@_attrs_define
class SyncServer:
    """
    Attributes:
        id (str): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        phase (SyncServerPhase):
        bytes_done (int):
        bytes_total (int):
        digest (str | Unset): sha256 over the sorted list of (name, dtype, shape, sha256 of the bytes) of all tensors.
            Example: sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.
        verified (SyncServerVerified | Unset): Once it has switched. `digest`: it proved the digest. `compared`: its
            parameters equal another server's (`--compare-weights`). `unverified`: it said that it loaded them, and nothing
            more is known.
        error (str | Unset):
    """

    id: str
    phase: SyncServerPhase
    bytes_done: int
    bytes_total: int
    digest: str | Unset = UNSET
    verified: SyncServerVerified | Unset = UNSET
    error: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        phase: str = self.phase

        bytes_done = self.bytes_done

        bytes_total = self.bytes_total

        digest = self.digest

        verified: str | Unset = UNSET
        if not isinstance(self.verified, Unset):
            verified = self.verified

        error = self.error

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "phase": phase,
                "bytes_done": bytes_done,
                "bytes_total": bytes_total,
            }
        )
        if digest is not UNSET:
            field_dict["digest"] = digest
        if verified is not UNSET:
            field_dict["verified"] = verified
        if error is not UNSET:
            field_dict["error"] = error

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        phase = check_sync_server_phase(d.pop("phase"))

        bytes_done = d.pop("bytes_done")

        bytes_total = d.pop("bytes_total")

        digest = d.pop("digest", UNSET)

        _verified = d.pop("verified", UNSET)
        verified: SyncServerVerified | Unset
        if isinstance(_verified, Unset):
            verified = UNSET
        else:
            verified = check_sync_server_verified(_verified)

        error = d.pop("error", UNSET)

        sync_server = cls(
            id=id,
            phase=phase,
            bytes_done=bytes_done,
            bytes_total=bytes_total,
            digest=digest,
            verified=verified,
            error=error,
        )

        sync_server.additional_properties = d
        return sync_server

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
