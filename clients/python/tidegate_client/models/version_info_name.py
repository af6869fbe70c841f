from typing import Literal

VersionInfoName = Literal["tidegate"]

VERSION_INFO_NAME_VALUES: set[VersionInfoName] = {
    "tidegate",
}


def check_version_info_name(value: str) -> VersionInfoName:
    if value in VERSION_INFO_NAME_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {VERSION_INFO_NAME_VALUES!r}"
    )
