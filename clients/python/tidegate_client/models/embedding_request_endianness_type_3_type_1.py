from typing import Literal

EmbeddingRequestEndiannessType3Type1 = Literal["big", "little", "native"]

EMBEDDING_REQUEST_ENDIANNESS_TYPE_3_TYPE_1_VALUES: set[
    EmbeddingRequestEndiannessType3Type1
] = {
    "big",
    "little",
    "native",
}


def check_embedding_request_endianness_type_3_type_1(
    value: str,
) -> EmbeddingRequestEndiannessType3Type1:
    if value in EMBEDDING_REQUEST_ENDIANNESS_TYPE_3_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_ENDIANNESS_TYPE_3_TYPE_1_VALUES!r}"
    )
