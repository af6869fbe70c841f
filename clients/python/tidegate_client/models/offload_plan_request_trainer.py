from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="OffloadPlanRequestTrainer")


@_attrs_define
class OffloadPlanRequestTrainer:
    """With `compat`: TRL 0.15's older function of the same name (`trl/trainer/utils.py`), and its arguments.

    Attributes:
        per_device_train_batch_size (int):
        fp16 (bool | Unset):  Default: False.
        bf16 (bool | Unset):  Default: False.
    """

    per_device_train_batch_size: int
    fp16: bool | Unset = False
    bf16: bool | Unset = False

    def to_dict(self) -> dict[str, Any]:
        per_device_train_batch_size = self.per_device_train_batch_size

        fp16 = self.fp16

        bf16 = self.bf16

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "per_device_train_batch_size": per_device_train_batch_size,
            }
        )
        if fp16 is not UNSET:
            field_dict["fp16"] = fp16
        if bf16 is not UNSET:
            field_dict["bf16"] = bf16

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        per_device_train_batch_size = d.pop("per_device_train_batch_size")

        fp16 = d.pop("fp16", UNSET)

        bf16 = d.pop("bf16", UNSET)

        offload_plan_request_trainer = cls(
            per_device_train_batch_size=per_device_train_batch_size,
            fp16=fp16,
            bf16=bf16,
        )

        return offload_plan_request_trainer
