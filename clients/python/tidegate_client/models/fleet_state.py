from typing import Literal

FleetState = Literal[
    "degraded", "draining", "paused", "ready", "starting", "unavailable"
]

FLEET_STATE_VALUES: set[FleetState] = {
    "degraded",
    "draining",
    "paused",
    "ready",
    "starting",
    "unavailable",
}


def check_fleet_state(value: str) -> FleetState:
    if value in FLEET_STATE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {FLEET_STATE_VALUES!r}"
    )
