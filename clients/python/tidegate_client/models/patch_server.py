from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.patch_server_state import PatchServerState, check_patch_server_state

T = TypeVar("T", bound="PatchServer")


@_attrs_define
class PatchServer:
    """`draining` takes the replica out of rotation; `ready` puts it back.

    Attributes:
        state (PatchServerState):
    """

    state: PatchServerState

    def to_dict(self) -> dict[str, Any]:
        state: str = self.state

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "state": state,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        state = check_patch_server_state(d.pop("state"))

        patch_server = cls(
            state=state,
        )

        return patch_server
