from typing import Literal

WeightSyncState = Literal["aborted", "completed", "failed", "running"]

WEIGHT_SYNC_STATE_VALUES: set[WeightSyncState] = {
    "aborted",
    "completed",
    "failed",
    "running",
}


def check_weight_sync_state(value: str) -> WeightSyncState:
    if value in WEIGHT_SYNC_STATE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {WEIGHT_SYNC_STATE_VALUES!r}"
    )
