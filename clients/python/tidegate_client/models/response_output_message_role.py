from typing import Literal

ResponseOutputMessageRole = Literal["assistant"]

RESPONSE_OUTPUT_MESSAGE_ROLE_VALUES: set[ResponseOutputMessageRole] = {
    "assistant",
}


def check_response_output_message_role(value: str) -> ResponseOutputMessageRole:
    if value in RESPONSE_OUTPUT_MESSAGE_ROLE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RESPONSE_OUTPUT_MESSAGE_ROLE_VALUES!r}"
    )
