from typing import Literal

ChatCompletionRequestTruncationSideType3Type1 = Literal["left", "right"]

CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES: set[
    ChatCompletionRequestTruncationSideType3Type1
] = {
    "left",
    "right",
}


def check_chat_completion_request_truncation_side_type_3_type_1(
    value: str,
) -> ChatCompletionRequestTruncationSideType3Type1:
    if value in CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {CHAT_COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES!r}"
    )
