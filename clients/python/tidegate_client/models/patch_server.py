from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.patch_server_state import PatchServerState, check_patch_server_state
from ..types import UNSET, Unset

T = TypeVar("T", bound="PatchServer")


@_attrs_define
class PatchServer:
    """`draining` takes the replica out of rotation; `ready` puts it back.

    Attributes:
        state (PatchServerState | Unset):
        weight (float | Unset): Share of the requests under `--policy weighted`, relative to the other servers. Default
            1.
    """

    state: PatchServerState | Unset = UNSET
    weight: float | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        state: str | Unset = UNSET
        if not isinstance(self.state, Unset):
            state = self.state

        weight = self.weight

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if state is not UNSET:
            field_dict["state"] = state
        if weight is not UNSET:
            field_dict["weight"] = weight

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        _state = d.pop("state", UNSET)
        state: PatchServerState | Unset
        if isinstance(_state, Unset):
            state = UNSET
        else:
            state = check_patch_server_state(_state)

        weight = d.pop("weight", UNSET)

        patch_server = cls(
            state=state,
            weight=weight,
        )

        return patch_server
