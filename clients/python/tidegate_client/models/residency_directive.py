from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.residency_directive_groups import ResidencyDirectiveGroups


T = TypeVar("T", bound="ResidencyDirective")


@_attrs_define
class ResidencyDirective:
    """
    Attributes:
        groups (ResidencyDirectiveGroups | Unset): Tier by group name. Groups not named stay in memory as the budget
            allows. Example: {}.
        max_in_cpu_bytes (int | Unset): Bytes of memory that weights may take, streaming buffers included. Default: no
            limit.
        buffer_count (int | Unset):
        pin_memory (bool | Unset):
        max_gathered_bytes (int | Unset): Bytes that weights may take while gathered. Default: what the machine has
            available then.
    """

    groups: ResidencyDirectiveGroups | Unset = UNSET
    max_in_cpu_bytes: int | Unset = UNSET
    buffer_count: int | Unset = UNSET
    pin_memory: bool | Unset = UNSET
    max_gathered_bytes: int | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        groups: dict[str, Any] | Unset = UNSET
        if not isinstance(self.groups, Unset):
            groups = self.groups.to_dict()

        max_in_cpu_bytes = self.max_in_cpu_bytes

        buffer_count = self.buffer_count

        pin_memory = self.pin_memory

        max_gathered_bytes = self.max_gathered_bytes

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if groups is not UNSET:
            field_dict["groups"] = groups
        if max_in_cpu_bytes is not UNSET:
            field_dict["max_in_cpu_bytes"] = max_in_cpu_bytes
        if buffer_count is not UNSET:
            field_dict["buffer_count"] = buffer_count
        if pin_memory is not UNSET:
            field_dict["pin_memory"] = pin_memory
        if max_gathered_bytes is not UNSET:
            field_dict["max_gathered_bytes"] = max_gathered_bytes

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.residency_directive_groups import ResidencyDirectiveGroups

        d = dict(src_dict)
        _groups = d.pop("groups", UNSET)
        groups: ResidencyDirectiveGroups | Unset
        if isinstance(_groups, Unset):
            groups = UNSET
        else:
            groups = ResidencyDirectiveGroups.from_dict(_groups)

        max_in_cpu_bytes = d.pop("max_in_cpu_bytes", UNSET)

        buffer_count = d.pop("buffer_count", UNSET)

        pin_memory = d.pop("pin_memory", UNSET)

        max_gathered_bytes = d.pop("max_gathered_bytes", UNSET)

        residency_directive = cls(
            groups=groups,
            max_in_cpu_bytes=max_in_cpu_bytes,
            buffer_count=buffer_count,
            pin_memory=pin_memory,
            max_gathered_bytes=max_gathered_bytes,
        )

        return residency_directive
