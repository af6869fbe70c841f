from typing import Literal

SleepMode = Literal["abort", "keep", "wait"]

SLEEP_MODE_VALUES: set[SleepMode] = {
    "abort",
    "keep",
    "wait",
}


def check_sleep_mode(value: str) -> SleepMode:
    if value in SLEEP_MODE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SLEEP_MODE_VALUES!r}"
    )
