from typing import Literal

PauseClearCache = Literal[
    "0",
    "1",
    "f",
    "FALSE",
    "false",
    "False",
    "n",
    "no",
    "off",
    "on",
    "t",
    "true",
    "True",
    "TRUE",
    "y",
    "yes",
]

PAUSE_CLEAR_CACHE_VALUES: set[PauseClearCache] = {
    "0",
    "1",
    "f",
    "FALSE",
    "false",
    "False",
    "n",
    "no",
    "off",
    "on",
    "t",
    "true",
    "True",
    "TRUE",
    "y",
    "yes",
}


def check_pause_clear_cache(value: str) -> PauseClearCache:
    if value in PAUSE_CLEAR_CACHE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {PAUSE_CLEAR_CACHE_VALUES!r}"
    )
