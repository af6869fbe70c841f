from typing import Literal

SyncServerVerified = Literal["compared", "digest", "unverified"]

SYNC_SERVER_VERIFIED_VALUES: set[SyncServerVerified] = {
    "compared",
    "digest",
    "unverified",
}


def check_sync_server_verified(value: str) -> SyncServerVerified:
    if value in SYNC_SERVER_VERIFIED_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SYNC_SERVER_VERIFIED_VALUES!r}"
    )
