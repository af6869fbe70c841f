from typing import Literal

ModelResidencyPlanResidencyDevice = Literal["cpu", "none", "nvme"]

MODEL_RESIDENCY_PLAN_RESIDENCY_DEVICE_VALUES: set[ModelResidencyPlanResidencyDevice] = {
    "cpu",
    "none",
    "nvme",
}


def check_model_residency_plan_residency_device(
    value: str,
) -> ModelResidencyPlanResidencyDevice:
    if value in MODEL_RESIDENCY_PLAN_RESIDENCY_DEVICE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {MODEL_RESIDENCY_PLAN_RESIDENCY_DEVICE_VALUES!r}"
    )
