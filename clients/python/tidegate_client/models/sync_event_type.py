from typing import Literal

SyncEventType = Literal["sync"]

SYNC_EVENT_TYPE_VALUES: set[SyncEventType] = {
    "sync",
}


def check_sync_event_type(value: str) -> SyncEventType:
    if value in SYNC_EVENT_TYPE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SYNC_EVENT_TYPE_VALUES!r}"
    )
