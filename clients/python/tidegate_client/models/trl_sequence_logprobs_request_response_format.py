from typing import Literal

TrlSequenceLogprobsRequestResponseFormat = Literal["binary", "json"]

TRL_SEQUENCE_LOGPROBS_REQUEST_RESPONSE_FORMAT_VALUES: set[
    TrlSequenceLogprobsRequestResponseFormat
] = {
    "binary",
    "json",
}


def check_trl_sequence_logprobs_request_response_format(
    value: str,
) -> TrlSequenceLogprobsRequestResponseFormat:
    if value in TRL_SEQUENCE_LOGPROBS_REQUEST_RESPONSE_FORMAT_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {TRL_SEQUENCE_LOGPROBS_REQUEST_RESPONSE_FORMAT_VALUES!r}"
    )
