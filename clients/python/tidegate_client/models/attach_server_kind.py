from typing import Literal

AttachServerKind = Literal["auto", "trl", "vllm"]

ATTACH_SERVER_KIND_VALUES: set[AttachServerKind] = {
    "auto",
    "trl",
    "vllm",
}


def check_attach_server_kind(value: str) -> AttachServerKind:
    if value in ATTACH_SERVER_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {ATTACH_SERVER_KIND_VALUES!r}"
    )
