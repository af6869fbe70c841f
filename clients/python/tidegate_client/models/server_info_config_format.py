from typing import Literal

ServerInfoConfigFormat = Literal["json", "text"]

SERVER_INFO_CONFIG_FORMAT_VALUES: set[ServerInfoConfigFormat] = {
    "json",
    "text",
}


def check_server_info_config_format(value: str) -> ServerInfoConfigFormat:
    if value in SERVER_INFO_CONFIG_FORMAT_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SERVER_INFO_CONFIG_FORMAT_VALUES!r}"
    )
