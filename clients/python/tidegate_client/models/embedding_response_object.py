from typing import Literal

EmbeddingResponseObject = Literal["list"]

EMBEDDING_RESPONSE_OBJECT_VALUES: set[EmbeddingResponseObject] = {
    "list",
}


def check_embedding_response_object(value: str) -> EmbeddingResponseObject:
    if value in EMBEDDING_RESPONSE_OBJECT_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_RESPONSE_OBJECT_VALUES!r}"
    )
