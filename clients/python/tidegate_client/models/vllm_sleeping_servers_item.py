from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="VllmSleepingServersItem")


@_attrs_define
class VllmSleepingServersItem:
    """
    Attributes:
        id (str):
        rank_offset (int | Unset): Its first rank in the trainer's group.
        world_size (int | Unset): Ranks of the whole group.
        skipped (str | Unset): Not asked: its state.
    """

    id: str
    rank_offset: int | Unset = UNSET
    world_size: int | Unset = UNSET
    skipped: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        rank_offset = self.rank_offset

        world_size = self.world_size

        skipped = self.skipped

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
            }
        )
        if rank_offset is not UNSET:
            field_dict["rank_offset"] = rank_offset
        if world_size is not UNSET:
            field_dict["world_size"] = world_size
        if skipped is not UNSET:
            field_dict["skipped"] = skipped

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        rank_offset = d.pop("rank_offset", UNSET)

        world_size = d.pop("world_size", UNSET)

        skipped = d.pop("skipped", UNSET)

        vllm_sleeping_servers_item = cls(
            id=id,
            rank_offset=rank_offset,
            world_size=world_size,
            skipped=skipped,
        )

        vllm_sleeping_servers_item.additional_properties = d
        return vllm_sleeping_servers_item

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
