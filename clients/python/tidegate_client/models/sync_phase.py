from typing import Literal

SyncPhase = Literal["done", "drain", "publish", "receive", "stage", "switch", "verify"]

SYNC_PHASE_VALUES: set[SyncPhase] = {
    "done",
    "drain",
    "publish",
    "receive",
    "stage",
    "switch",
    "verify",
}


def check_sync_phase(value: str) -> SyncPhase:
    if value in SYNC_PHASE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SYNC_PHASE_VALUES!r}"
    )
