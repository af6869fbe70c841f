from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.sync_mode import SyncMode, check_sync_mode
from ..models.sync_phase import SyncPhase, check_sync_phase
from ..models.weight_sync_state import WeightSyncState, check_weight_sync_state
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.disk_source import DiskSource
    from ..models.http_source import HttpSource
    from ..models.nccl_source import NcclSource
    from ..models.sync_error import SyncError
    from ..models.sync_server import SyncServer
    from ..models.upload_source import UploadSource


T = TypeVar("T", bound="WeightSync")


@_attrs_define
class WeightSync:
    """
    Attributes:
        id (str): Id of a weight sync. Example: ws_7d1f2c.
        state (WeightSyncState):
        phase (SyncPhase):
        version (int): An integer that only grows; the first weights served are 0. Example: 412.
        label (None | str):
        digest (None | str): Of the whole model after this sync; null until verified. Example:
            sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.
        source (DiskSource | HttpSource | NcclSource | UploadSource):
        mode (SyncMode): What happens to generations in flight, in vLLM's words. Default `wait`.
        partial (bool):
        created_at (datetime.datetime):
        finished_at (datetime.datetime | None):
        bytes_done (int):
        bytes_total (int):
        servers (list[SyncServer]):
        error (SyncError | Unset):
    """

    id: str
    state: WeightSyncState
    phase: SyncPhase
    version: int
    label: None | str
    digest: None | str
    source: DiskSource | HttpSource | NcclSource | UploadSource
    mode: SyncMode
    partial: bool
    created_at: datetime.datetime
    finished_at: datetime.datetime | None
    bytes_done: int
    bytes_total: int
    servers: list[SyncServer]
    error: SyncError | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.disk_source import DiskSource
        from ..models.http_source import HttpSource
        from ..models.upload_source import UploadSource

        id = self.id

        state: str = self.state

        phase: str = self.phase

        version = self.version

        label: None | str
        label = self.label

        digest: None | str
        digest = self.digest

        source: dict[str, Any]
        if (
            isinstance(self.source, DiskSource)
            or isinstance(self.source, HttpSource)
            or isinstance(self.source, UploadSource)
        ):
            source = self.source.to_dict()
        else:
            source = self.source.to_dict()

        mode: str = self.mode

        partial = self.partial

        created_at = self.created_at.isoformat()

        finished_at: None | str
        if isinstance(self.finished_at, datetime.datetime):
            finished_at = self.finished_at.isoformat()
        else:
            finished_at = self.finished_at

        bytes_done = self.bytes_done

        bytes_total = self.bytes_total

        servers = []
        for servers_item_data in self.servers:
            servers_item = servers_item_data.to_dict()
            servers.append(servers_item)

        error: dict[str, Any] | Unset = UNSET
        if not isinstance(self.error, Unset):
            error = self.error.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "state": state,
                "phase": phase,
                "version": version,
                "label": label,
                "digest": digest,
                "source": source,
                "mode": mode,
                "partial": partial,
                "created_at": created_at,
                "finished_at": finished_at,
                "bytes_done": bytes_done,
                "bytes_total": bytes_total,
                "servers": servers,
            }
        )
        if error is not UNSET:
            field_dict["error"] = error

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.disk_source import DiskSource
        from ..models.http_source import HttpSource
        from ..models.nccl_source import NcclSource
        from ..models.sync_error import SyncError
        from ..models.sync_server import SyncServer
        from ..models.upload_source import UploadSource

        d = dict(src_dict)
        id = d.pop("id")

        state = check_weight_sync_state(d.pop("state"))

        phase = check_sync_phase(d.pop("phase"))

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

        def _parse_source(
            data: object,
        ) -> DiskSource | HttpSource | NcclSource | UploadSource:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_sync_source_type_0 = DiskSource.from_dict(data)

                return componentsschemas_sync_source_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_sync_source_type_1 = HttpSource.from_dict(data)

                return componentsschemas_sync_source_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_sync_source_type_2 = UploadSource.from_dict(data)

                return componentsschemas_sync_source_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            componentsschemas_sync_source_type_3 = NcclSource.from_dict(data)

            return componentsschemas_sync_source_type_3

        source = _parse_source(d.pop("source"))

        mode = check_sync_mode(d.pop("mode"))

        partial = d.pop("partial")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        def _parse_finished_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                finished_at_type_0 = datetime.datetime.fromisoformat(data)

                return finished_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        finished_at = _parse_finished_at(d.pop("finished_at"))

        bytes_done = d.pop("bytes_done")

        bytes_total = d.pop("bytes_total")

        servers = []
        _servers = d.pop("servers")
        for servers_item_data in _servers:
            servers_item = SyncServer.from_dict(servers_item_data)

            servers.append(servers_item)

        _error = d.pop("error", UNSET)
        error: SyncError | Unset
        if isinstance(_error, Unset):
            error = UNSET
        else:
            error = SyncError.from_dict(_error)

        weight_sync = cls(
            id=id,
            state=state,
            phase=phase,
            version=version,
            label=label,
            digest=digest,
            source=source,
            mode=mode,
            partial=partial,
            created_at=created_at,
            finished_at=finished_at,
            bytes_done=bytes_done,
            bytes_total=bytes_total,
            servers=servers,
            error=error,
        )

        weight_sync.additional_properties = d
        return weight_sync

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
