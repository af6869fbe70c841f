from typing import Literal

ServerKind = Literal["embedded", "trl", "vllm"]

SERVER_KIND_VALUES: set[ServerKind] = {
    "embedded",
    "trl",
    "vllm",
}


def check_server_kind(value: str) -> ServerKind:
    if value in SERVER_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SERVER_KIND_VALUES!r}"
    )
