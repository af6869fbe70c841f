from typing import Literal

TrlHealthStatus = Literal["ok"]

TRL_HEALTH_STATUS_VALUES: set[TrlHealthStatus] = {
    "ok",
}


def check_trl_health_status(value: str) -> TrlHealthStatus:
    if value in TRL_HEALTH_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {TRL_HEALTH_STATUS_VALUES!r}"
    )
