from typing import Literal

EmbeddingRequestTruncationSideType3Type1 = Literal["left", "right"]

EMBEDDING_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES: set[
    EmbeddingRequestTruncationSideType3Type1
] = {
    "left",
    "right",
}


def check_embedding_request_truncation_side_type_3_type_1(
    value: str,
) -> EmbeddingRequestTruncationSideType3Type1:
    if value in EMBEDDING_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_TRUNCATION_SIDE_TYPE_3_TYPE_1_VALUES!r}"
    )
