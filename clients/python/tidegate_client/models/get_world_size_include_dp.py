from typing import Literal

GetWorldSizeIncludeDp = Literal[
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

GET_WORLD_SIZE_INCLUDE_DP_VALUES: set[GetWorldSizeIncludeDp] = {
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


def check_get_world_size_include_dp(value: str) -> GetWorldSizeIncludeDp:
    if value in GET_WORLD_SIZE_INCLUDE_DP_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {GET_WORLD_SIZE_INCLUDE_DP_VALUES!r}"
    )
