from typing import Literal

ResetPrefixCacheResetRunningRequests = Literal[
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

RESET_PREFIX_CACHE_RESET_RUNNING_REQUESTS_VALUES: set[
    ResetPrefixCacheResetRunningRequests
] = {
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


def check_reset_prefix_cache_reset_running_requests(
    value: str,
) -> ResetPrefixCacheResetRunningRequests:
    if value in RESET_PREFIX_CACHE_RESET_RUNNING_REQUESTS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RESET_PREFIX_CACHE_RESET_RUNNING_REQUESTS_VALUES!r}"
    )
