from typing import Literal

ChatFormatResultFormat = Literal["chatml"]

CHAT_FORMAT_RESULT_FORMAT_VALUES: set[ChatFormatResultFormat] = {
    "chatml",
}


def check_chat_format_result_format(value: str) -> ChatFormatResultFormat:
    if value in CHAT_FORMAT_RESULT_FORMAT_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {CHAT_FORMAT_RESULT_FORMAT_VALUES!r}"
    )
