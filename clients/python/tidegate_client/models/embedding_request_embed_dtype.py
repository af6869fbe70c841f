from typing import Literal

EmbeddingRequestEmbedDtype = Literal["float32"]

EMBEDDING_REQUEST_EMBED_DTYPE_VALUES: set[EmbeddingRequestEmbedDtype] = {
    "float32",
}


def check_embedding_request_embed_dtype(value: str) -> EmbeddingRequestEmbedDtype:
    if value in EMBEDDING_REQUEST_EMBED_DTYPE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_EMBED_DTYPE_VALUES!r}"
    )
