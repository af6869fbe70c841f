from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.sync_phase import SyncPhase, check_sync_phase
from ..types import UNSET, Unset

T = TypeVar("T", bound="SyncError")


@_attrs_define
class SyncError:
    """
    Attributes:
        code (str):
        phase (SyncPhase):
        message (str):
        replica (str | Unset): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        tensor (str | Unset): The tensor at fault.
        upstream (str | Unset):
    """

    code: str
    phase: SyncPhase
    message: str
    replica: str | Unset = UNSET
    tensor: str | Unset = UNSET
    upstream: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        code = self.code

        phase: str = self.phase

        message = self.message

        replica = self.replica

        tensor = self.tensor

        upstream = self.upstream

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "code": code,
                "phase": phase,
                "message": message,
            }
        )
        if replica is not UNSET:
            field_dict["replica"] = replica
        if tensor is not UNSET:
            field_dict["tensor"] = tensor
        if upstream is not UNSET:
            field_dict["upstream"] = upstream

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        code = d.pop("code")

        phase = check_sync_phase(d.pop("phase"))

        message = d.pop("message")

        replica = d.pop("replica", UNSET)

        tensor = d.pop("tensor", UNSET)

        upstream = d.pop("upstream", UNSET)

        sync_error = cls(
            code=code,
            phase=phase,
            message=message,
            replica=replica,
            tensor=tensor,
            upstream=upstream,
        )

        sync_error.additional_properties = d
        return sync_error

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
