from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="WeightVersionRecord")


@_attrs_define
class WeightVersionRecord:
    """
    Attributes:
        version (int): An integer that only grows; the first weights served are 0. Example: 412.
        label (None | str):
        digest (None | str):
        created_at (datetime.datetime):
        created_by (str): Name of the API key, `anonymous` without keys, `start` for version 0.
        source (str): How: `start`, `disk`, `http`, `upload`, …
        sync (None | str):
        servers (list[str]):
    """

    version: int
    label: None | str
    digest: None | str
    created_at: datetime.datetime
    created_by: str
    source: str
    sync: None | str
    servers: list[str]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        version = self.version

        label: None | str
        label = self.label

        digest: None | str
        digest = self.digest

        created_at = self.created_at.isoformat()

        created_by = self.created_by

        source = self.source

        sync: None | str
        sync = self.sync

        servers = self.servers

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "version": version,
                "label": label,
                "digest": digest,
                "created_at": created_at,
                "created_by": created_by,
                "source": source,
                "sync": sync,
                "servers": servers,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        version = d.pop("version")

        def _parse_label(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        label = _parse_label(d.pop("label"))

        def _parse_digest(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        digest = _parse_digest(d.pop("digest"))

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        created_by = d.pop("created_by")

        source = d.pop("source")

        def _parse_sync(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        sync = _parse_sync(d.pop("sync"))

        servers = cast(list[str], d.pop("servers"))

        weight_version_record = cls(
            version=version,
            label=label,
            digest=digest,
            created_at=created_at,
            created_by=created_by,
            source=source,
            sync=sync,
            servers=servers,
        )

        weight_version_record.additional_properties = d
        return weight_version_record

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
