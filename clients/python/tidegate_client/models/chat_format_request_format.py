from typing import Literal

ChatFormatRequestFormat = Literal["chatml"]

CHAT_FORMAT_REQUEST_FORMAT_VALUES: set[ChatFormatRequestFormat] = {
    "chatml",
}


def check_chat_format_request_format(value: str) -> ChatFormatRequestFormat:
    if value in CHAT_FORMAT_REQUEST_FORMAT_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {CHAT_FORMAT_REQUEST_FORMAT_VALUES!r}"
    )
