from typing import Literal

OffloadPlanRequestCompatType3Type1 = Literal["trl-0.15"]

OFFLOAD_PLAN_REQUEST_COMPAT_TYPE_3_TYPE_1_VALUES: set[
    OffloadPlanRequestCompatType3Type1
] = {
    "trl-0.15",
}


def check_offload_plan_request_compat_type_3_type_1(
    value: str,
) -> OffloadPlanRequestCompatType3Type1:
    if value in OFFLOAD_PLAN_REQUEST_COMPAT_TYPE_3_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {OFFLOAD_PLAN_REQUEST_COMPAT_TYPE_3_TYPE_1_VALUES!r}"
    )
