from typing import Literal

EmbeddingRequestEncodingFormatType3Type1 = Literal["base64", "float"]

EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_3_TYPE_1_VALUES: set[
    EmbeddingRequestEncodingFormatType3Type1
] = {
    "base64",
    "float",
}


def check_embedding_request_encoding_format_type_3_type_1(
    value: str,
) -> EmbeddingRequestEncodingFormatType3Type1:
    if value in EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_3_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_3_TYPE_1_VALUES!r}"
    )
