from typing import Literal

PlanDirectiveMixedPrecision = Literal["bf16", "fp16", "fp8", "no"]

PLAN_DIRECTIVE_MIXED_PRECISION_VALUES: set[PlanDirectiveMixedPrecision] = {
    "bf16",
    "fp16",
    "fp8",
    "no",
}


def check_plan_directive_mixed_precision(value: str) -> PlanDirectiveMixedPrecision:
    if value in PLAN_DIRECTIVE_MIXED_PRECISION_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {PLAN_DIRECTIVE_MIXED_PRECISION_VALUES!r}"
    )
