from typing import Literal

CompletionRequestTruncationSideType3Type1 = Literal["left", "right"]

COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES: set[
    CompletionRequestTruncationSideType3Type1
] = {
    "left",
    "right",
}


def check_completion_request_truncation_side_type_3_type_1(
    value: str,
) -> CompletionRequestTruncationSideType3Type1:
    if value in COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES!r}"
    )
