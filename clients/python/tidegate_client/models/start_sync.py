from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.sync_mode import SyncMode, check_sync_mode
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.disk_source import DiskSource
    from ..models.http_source import HttpSource
    from ..models.nccl_source import NcclSource
    from ..models.upload_source import UploadSource


T = TypeVar("T", bound="StartSync")


@_attrs_define
class StartSync:
    """
    Attributes:
        source (DiskSource | HttpSource | NcclSource | UploadSource):
        version (int | Unset): Must be greater than the current one; default: the next. Example: 412.
        label (str | Unset): Free text, such as the trainer's step.
        mode (SyncMode | Unset): What happens to generations in flight, in vLLM's words. Default `wait`.
        deadline_s (float | Unset):  Default: 600.0.
        verify (bool | Unset): Compare digests across replicas before the switch. Default: True.
        partial (bool | Unset): Only some tensors; the others stay as they are. Default: False.
    """

    source: DiskSource | HttpSource | NcclSource | UploadSource
    version: int | Unset = UNSET
    label: str | Unset = UNSET
    mode: SyncMode | Unset = UNSET
    deadline_s: float | Unset = 600.0
    verify: bool | Unset = True
    partial: bool | Unset = False

    def to_dict(self) -> dict[str, Any]:
        from ..models.disk_source import DiskSource
        from ..models.http_source import HttpSource
        from ..models.upload_source import UploadSource

        source: dict[str, Any]
        if (
            isinstance(self.source, DiskSource)
            or isinstance(self.source, HttpSource)
            or isinstance(self.source, UploadSource)
        ):
            source = self.source.to_dict()
        else:
            source = self.source.to_dict()

        version = self.version

        label = self.label

        mode: str | Unset = UNSET
        if not isinstance(self.mode, Unset):
            mode = self.mode

        deadline_s = self.deadline_s

        verify = self.verify

        partial = self.partial

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "source": source,
            }
        )
        if version is not UNSET:
            field_dict["version"] = version
        if label is not UNSET:
            field_dict["label"] = label
        if mode is not UNSET:
            field_dict["mode"] = mode
        if deadline_s is not UNSET:
            field_dict["deadline_s"] = deadline_s
        if verify is not UNSET:
            field_dict["verify"] = verify
        if partial is not UNSET:
            field_dict["partial"] = partial

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.disk_source import DiskSource
        from ..models.http_source import HttpSource
        from ..models.nccl_source import NcclSource
        from ..models.upload_source import UploadSource

        d = dict(src_dict)

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

        version = d.pop("version", UNSET)

        label = d.pop("label", UNSET)

        _mode = d.pop("mode", UNSET)
        mode: SyncMode | Unset
        if isinstance(_mode, Unset):
            mode = UNSET
        else:
            mode = check_sync_mode(_mode)

        deadline_s = d.pop("deadline_s", UNSET)

        verify = d.pop("verify", UNSET)

        partial = d.pop("partial", UNSET)

        start_sync = cls(
            source=source,
            version=version,
            label=label,
            mode=mode,
            deadline_s=deadline_s,
            verify=verify,
            partial=partial,
        )

        return start_sync
