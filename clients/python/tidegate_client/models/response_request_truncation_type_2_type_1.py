from typing import Literal

ResponseRequestTruncationType2Type1 = Literal["auto", "disabled"]

RESPONSE_REQUEST_TRUNCATION_TYPE_2_TYPE_1_VALUES: set[
    ResponseRequestTruncationType2Type1
] = {
    "auto",
    "disabled",
}


def check_response_request_truncation_type_2_type_1(
    value: str,
) -> ResponseRequestTruncationType2Type1:
    if value in RESPONSE_REQUEST_TRUNCATION_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RESPONSE_REQUEST_TRUNCATION_TYPE_2_TYPE_1_VALUES!r}"
    )
