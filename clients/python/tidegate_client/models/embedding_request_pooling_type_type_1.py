from typing import Literal

EmbeddingRequestPoolingTypeType1 = Literal["LAST", "MEAN"]

EMBEDDING_REQUEST_POOLING_TYPE_TYPE_1_VALUES: set[EmbeddingRequestPoolingTypeType1] = {
    "LAST",
    "MEAN",
}


def check_embedding_request_pooling_type_type_1(
    value: str,
) -> EmbeddingRequestPoolingTypeType1:
    if value in EMBEDDING_REQUEST_POOLING_TYPE_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_POOLING_TYPE_TYPE_1_VALUES!r}"
    )
