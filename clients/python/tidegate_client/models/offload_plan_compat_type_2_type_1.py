from typing import Literal

OffloadPlanCompatType2Type1 = Literal["trl-0.15"]

OFFLOAD_PLAN_COMPAT_TYPE_2_TYPE_1_VALUES: set[OffloadPlanCompatType2Type1] = {
    "trl-0.15",
}


def check_offload_plan_compat_type_2_type_1(value: str) -> OffloadPlanCompatType2Type1:
    if value in OFFLOAD_PLAN_COMPAT_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {OFFLOAD_PLAN_COMPAT_TYPE_2_TYPE_1_VALUES!r}"
    )
