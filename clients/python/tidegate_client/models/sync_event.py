from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.sync_event_type import SyncEventType, check_sync_event_type

if TYPE_CHECKING:
    from ..models.weight_sync import WeightSync


T = TypeVar("T", bound="SyncEvent")


@_attrs_define
class SyncEvent:
    """
    Attributes:
        type_ (SyncEventType):
        sync (WeightSync):
    """

    type_: SyncEventType
    sync: WeightSync
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        type_: str = self.type_

        sync = self.sync.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "sync": sync,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.weight_sync import WeightSync

        d = dict(src_dict)
        type_ = check_sync_event_type(d.pop("type"))

        sync = WeightSync.from_dict(d.pop("sync"))

        sync_event = cls(
            type_=type_,
            sync=sync,
        )

        sync_event.additional_properties = d
        return sync_event

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
