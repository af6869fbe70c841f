from typing import Literal

ServerState = Literal[
    "draining", "quarantined", "ready", "starting", "stopped", "syncing", "unreachable"
]

SERVER_STATE_VALUES: set[ServerState] = {
    "draining",
    "quarantined",
    "ready",
    "starting",
    "stopped",
    "syncing",
    "unreachable",
}


def check_server_state(value: str) -> ServerState:
    if value in SERVER_STATE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SERVER_STATE_VALUES!r}"
    )
