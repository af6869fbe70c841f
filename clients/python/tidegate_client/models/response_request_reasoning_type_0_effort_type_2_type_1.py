from typing import Literal

ResponseRequestReasoningType0EffortType2Type1 = Literal[
    "high", "low", "max", "medium", "minimal", "none", "xhigh"
]

RESPONSE_REQUEST_REASONING_TYPE_0_EFFORT_TYPE_2_TYPE_1_VALUES: set[
    ResponseRequestReasoningType0EffortType2Type1
] = {
    "high",
    "low",
    "max",
    "medium",
    "minimal",
    "none",
    "xhigh",
}


def check_response_request_reasoning_type_0_effort_type_2_type_1(
    value: str,
) -> ResponseRequestReasoningType0EffortType2Type1:
    if value in RESPONSE_REQUEST_REASONING_TYPE_0_EFFORT_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RESPONSE_REQUEST_REASONING_TYPE_0_EFFORT_TYPE_2_TYPE_1_VALUES!r}"
    )
