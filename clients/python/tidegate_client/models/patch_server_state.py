from typing import Literal

PatchServerState = Literal["draining", "ready"]

PATCH_SERVER_STATE_VALUES: set[PatchServerState] = {
    "draining",
    "ready",
}


def check_patch_server_state(value: str) -> PatchServerState:
    if value in PATCH_SERVER_STATE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {PATCH_SERVER_STATE_VALUES!r}"
    )
