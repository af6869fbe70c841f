from typing import Literal

FleetStateEventType = Literal["fleet"]

FLEET_STATE_EVENT_TYPE_VALUES: set[FleetStateEventType] = {
    "fleet",
}


def check_fleet_state_event_type(value: str) -> FleetStateEventType:
    if value in FLEET_STATE_EVENT_TYPE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {FLEET_STATE_EVENT_TYPE_VALUES!r}"
    )
