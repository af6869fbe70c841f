from typing import Literal

ResetPrefixCacheResetExternal = Literal[
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

RESET_PREFIX_CACHE_RESET_EXTERNAL_VALUES: set[ResetPrefixCacheResetExternal] = {
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


def check_reset_prefix_cache_reset_external(
    value: str,
) -> ResetPrefixCacheResetExternal:
    if value in RESET_PREFIX_CACHE_RESET_EXTERNAL_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RESET_PREFIX_CACHE_RESET_EXTERNAL_VALUES!r}"
    )
