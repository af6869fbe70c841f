from typing import Literal

EmbeddingRequestEncodingFormatType1 = Literal["base64", "float"]

EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_1_VALUES: set[
    EmbeddingRequestEncodingFormatType1
] = {
    "base64",
    "float",
}


def check_embedding_request_encoding_format_type_1(
    value: str,
) -> EmbeddingRequestEncodingFormatType1:
    if value in EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_1_VALUES!r}"
    )
