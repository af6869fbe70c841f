from typing import Literal

ChatCompletionRequestTruncationSideType1 = Literal["left", "right"]

CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_1_VALUES: set[
    ChatCompletionRequestTruncationSideType1
] = {
    "left",
    "right",
}


def check_chat_completion_request_truncation_side_type_1(
    value: str,
) -> ChatCompletionRequestTruncationSideType1:
    if value in CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_1_VALUES!r}"
    )
