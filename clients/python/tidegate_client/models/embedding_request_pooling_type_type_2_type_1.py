from typing import Literal

EmbeddingRequestPoolingTypeType2Type1 = Literal["LAST", "MEAN"]

EMBEDDING_REQUEST_POOLING_TYPE_TYPE_2_TYPE_1_VALUES: set[
    EmbeddingRequestPoolingTypeType2Type1
] = {
    "LAST",
    "MEAN",
}


def check_embedding_request_pooling_type_type_2_type_1(
    value: str,
) -> EmbeddingRequestPoolingTypeType2Type1:
    if value in EMBEDDING_REQUEST_POOLING_TYPE_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_POOLING_TYPE_TYPE_2_TYPE_1_VALUES!r}"
    )
