from typing import Literal

ResponseRequestTruncationType1 = Literal["auto", "disabled"]

RESPONSE_REQUEST_TRUNCATION_TYPE_1_VALUES: set[ResponseRequestTruncationType1] = {
    "auto",
    "disabled",
}


def check_response_request_truncation_type_1(
    value: str,
) -> ResponseRequestTruncationType1:
    if value in RESPONSE_REQUEST_TRUNCATION_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RESPONSE_REQUEST_TRUNCATION_TYPE_1_VALUES!r}"
    )
