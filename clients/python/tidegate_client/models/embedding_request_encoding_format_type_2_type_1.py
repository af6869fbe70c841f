from typing import Literal

EmbeddingRequestEncodingFormatType2Type1 = Literal["base64", "float"]

EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_2_TYPE_1_VALUES: set[
    EmbeddingRequestEncodingFormatType2Type1
] = {
    "base64",
    "float",
}


def check_embedding_request_encoding_format_type_2_type_1(
    value: str,
) -> EmbeddingRequestEncodingFormatType2Type1:
    if value in EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EMBEDDING_REQUEST_ENCODING_FORMAT_TYPE_2_TYPE_1_VALUES!r}"
    )
