from typing import Literal

HttpSourceKind = Literal["http"]

HTTP_SOURCE_KIND_VALUES: set[HttpSourceKind] = {
    "http",
}


def check_http_source_kind(value: str) -> HttpSourceKind:
    if value in HTTP_SOURCE_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {HTTP_SOURCE_KIND_VALUES!r}"
    )
