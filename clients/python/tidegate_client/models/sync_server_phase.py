from typing import Literal

SyncServerPhase = Literal[
    "discarded",
    "fenced",
    "left_out",
    "staged",
    "staging",
    "switched",
    "switching",
    "verified",
    "waiting",
]

SYNC_SERVER_PHASE_VALUES: set[SyncServerPhase] = {
    "discarded",
    "fenced",
    "left_out",
    "staged",
    "staging",
    "switched",
    "switching",
    "verified",
    "waiting",
}


def check_sync_server_phase(value: str) -> SyncServerPhase:
    if value in SYNC_SERVER_PHASE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SYNC_SERVER_PHASE_VALUES!r}"
    )
