from typing import Literal

PlanDirectiveCompatType1 = Literal["trl-0.15"]

PLAN_DIRECTIVE_COMPAT_TYPE_1_VALUES: set[PlanDirectiveCompatType1] = {
    "trl-0.15",
}


def check_plan_directive_compat_type_1(value: str) -> PlanDirectiveCompatType1:
    if value in PLAN_DIRECTIVE_COMPAT_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {PLAN_DIRECTIVE_COMPAT_TYPE_1_VALUES!r}"
    )
