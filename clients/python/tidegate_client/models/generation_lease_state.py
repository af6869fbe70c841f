from typing import Literal

GenerationLeaseState = Literal["active", "expired", "lost", "released", "revoked"]

GENERATION_LEASE_STATE_VALUES: set[GenerationLeaseState] = {
    "active",
    "expired",
    "lost",
    "released",
    "revoked",
}


def check_generation_lease_state(value: str) -> GenerationLeaseState:
    if value in GENERATION_LEASE_STATE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {GENERATION_LEASE_STATE_VALUES!r}"
    )
