from typing import Literal

ChatCompletionRequestReasoningEffortType1 = Literal[
    "high", "low", "max", "medium", "minimal", "none", "xhigh"
]

CHAT_COMPLETION_REQUEST_REASONING_EFFORT_TYPE_1_VALUES: set[
    ChatCompletionRequestReasoningEffortType1
] = {
    "high",
    "low",
    "max",
    "medium",
    "minimal",
    "none",
    "xhigh",
}


def check_chat_completion_request_reasoning_effort_type_1(
    value: str,
) -> ChatCompletionRequestReasoningEffortType1:
    if value in CHAT_COMPLETION_REQUEST_REASONING_EFFORT_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {CHAT_COMPLETION_REQUEST_REASONING_EFFORT_TYPE_1_VALUES!r}"
    )
