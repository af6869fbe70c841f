from typing import Literal

Tier = Literal["cpu", "device", "disk"]

TIER_VALUES: set[Tier] = {
    "cpu",
    "device",
    "disk",
}


def check_tier(value: str) -> Tier:
    if value in TIER_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {TIER_VALUES!r}")
