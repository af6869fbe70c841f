from typing import Literal

ModelResidencyPlanCompatType1 = Literal["trl-0.15"]

MODEL_RESIDENCY_PLAN_COMPAT_TYPE_1_VALUES: set[ModelResidencyPlanCompatType1] = {
    "trl-0.15",
}


def check_model_residency_plan_compat_type_1(
    value: str,
) -> ModelResidencyPlanCompatType1:
    if value in MODEL_RESIDENCY_PLAN_COMPAT_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {MODEL_RESIDENCY_PLAN_COMPAT_TYPE_1_VALUES!r}"
    )
