from typing import Literal

ServerEventType = Literal["server"]

SERVER_EVENT_TYPE_VALUES: set[ServerEventType] = {
    "server",
}


def check_server_event_type(value: str) -> ServerEventType:
    if value in SERVER_EVENT_TYPE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SERVER_EVENT_TYPE_VALUES!r}"
    )
