from typing import Literal

DiskSourceKind = Literal["disk"]

DISK_SOURCE_KIND_VALUES: set[DiskSourceKind] = {
    "disk",
}


def check_disk_source_kind(value: str) -> DiskSourceKind:
    if value in DISK_SOURCE_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {DISK_SOURCE_KIND_VALUES!r}"
    )
