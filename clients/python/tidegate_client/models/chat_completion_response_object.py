from typing import Literal

ChatCompletionResponseObject = Literal["chat.completion"]

CHAT_COMPLETION_RESPONSE_OBJECT_VALUES: set[ChatCompletionResponseObject] = {
    "chat.completion",
}


def check_chat_completion_response_object(value: str) -> ChatCompletionResponseObject:
    if value in CHAT_COMPLETION_RESPONSE_OBJECT_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {CHAT_COMPLETION_RESPONSE_OBJECT_VALUES!r}"
    )
