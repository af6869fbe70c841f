from typing import Literal

ResponseOutputMessageType = Literal["message"]

RESPONSE_OUTPUT_MESSAGE_TYPE_VALUES: set[ResponseOutputMessageType] = {
    "message",
}


def check_response_output_message_type(value: str) -> ResponseOutputMessageType:
    if value in RESPONSE_OUTPUT_MESSAGE_TYPE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RESPONSE_OUTPUT_MESSAGE_TYPE_VALUES!r}"
    )
