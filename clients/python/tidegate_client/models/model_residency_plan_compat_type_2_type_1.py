from typing import Literal

ModelResidencyPlanCompatType2Type1 = Literal["trl-0.15"]

MODEL_RESIDENCY_PLAN_COMPAT_TYPE_2_TYPE_1_VALUES: set[
    ModelResidencyPlanCompatType2Type1
] = {
    "trl-0.15",
}


def check_model_residency_plan_compat_type_2_type_1(
    value: str,
) -> ModelResidencyPlanCompatType2Type1:
    if value in MODEL_RESIDENCY_PLAN_COMPAT_TYPE_2_TYPE_1_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {MODEL_RESIDENCY_PLAN_COMPAT_TYPE_2_TYPE_1_VALUES!r}"
    )
