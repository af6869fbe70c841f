from typing import Literal

OffloadPlanCompatType1 = Literal["trl-0.15"]

OFFLOAD_PLAN_COMPAT_TYPE_1_VALUES: set[OffloadPlanCompatType1] = {
    "trl-0.15",
}


def check_offload_plan_compat_type_1(value: str) -> OffloadPlanCompatType1:
    if value in OFFLOAD_PLAN_COMPAT_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {OFFLOAD_PLAN_COMPAT_TYPE_1_VALUES!r}"
    )
