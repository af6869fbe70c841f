from typing import Literal

OffloadPlanRequestMixedPrecision = Literal["bf16", "fp16", "fp8", "no"]

OFFLOAD_PLAN_REQUEST_MIXED_PRECISION_VALUES: set[OffloadPlanRequestMixedPrecision] = {
    "bf16",
    "fp16",
    "fp8",
    "no",
}


def check_offload_plan_request_mixed_precision(
    value: str,
) -> OffloadPlanRequestMixedPrecision:
    if value in OFFLOAD_PLAN_REQUEST_MIXED_PRECISION_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {OFFLOAD_PLAN_REQUEST_MIXED_PRECISION_VALUES!r}"
    )
