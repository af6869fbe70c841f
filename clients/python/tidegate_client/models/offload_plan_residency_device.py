from typing import Literal

OffloadPlanResidencyDevice = Literal["cpu", "none", "nvme"]

OFFLOAD_PLAN_RESIDENCY_DEVICE_VALUES: set[OffloadPlanResidencyDevice] = {
    "cpu",
    "none",
    "nvme",
}


def check_offload_plan_residency_device(value: str) -> OffloadPlanResidencyDevice:
    if value in OFFLOAD_PLAN_RESIDENCY_DEVICE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {OFFLOAD_PLAN_RESIDENCY_DEVICE_VALUES!r}"
    )
