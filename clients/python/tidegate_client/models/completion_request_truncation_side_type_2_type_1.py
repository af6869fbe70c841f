from typing import Literal

CompletionRequestTruncationSideType2Type1 = Literal["left", "right"]

COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_2_TYPE_1_VALUES: set[
    CompletionRequestTruncationSideType2Type1
] = {
    "left",
    "right",
}


def check_completion_request_truncation_side_type_2_type_1(
    value: str,
) -> CompletionRequestTruncationSideType2Type1:
    if value in COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {COMPLETION_REQUEST_TRUNCATION_SIDE_TYPE_2_TYPE_1_VALUES!r}"
    )
