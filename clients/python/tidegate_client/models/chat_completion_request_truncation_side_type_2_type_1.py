from typing import Literal

ChatCompletionRequestTruncationSideType2Type1 = Literal["left", "right"]

CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_2_TYPE_1_VALUES: set[
    ChatCompletionRequestTruncationSideType2Type1
] = {
    "left",
    "right",
}


def check_chat_completion_request_truncation_side_type_2_type_1(
    value: str,
) -> ChatCompletionRequestTruncationSideType2Type1:
    if value in CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_2_TYPE_1_VALUES!r}"
    )
