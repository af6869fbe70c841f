from typing import Literal

SyncMode = Literal["abort", "keep", "wait"]

SYNC_MODE_VALUES: set[SyncMode] = {
    "abort",
    "keep",
    "wait",
}


def check_sync_mode(value: str) -> SyncMode:
    if value in SYNC_MODE_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {SYNC_MODE_VALUES!r}")
