from typing import Literal

CompletionResponseObject = Literal["text_completion"]

COMPLETION_RESPONSE_OBJECT_VALUES: set[CompletionResponseObject] = {
    "text_completion",
}


def check_completion_response_object(value: str) -> CompletionResponseObject:
    if value in COMPLETION_RESPONSE_OBJECT_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {COMPLETION_RESPONSE_OBJECT_VALUES!r}"
    )
