from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..models.offload_plan_request_compat_type_1 import (
    OffloadPlanRequestCompatType1,
    check_offload_plan_request_compat_type_1,
)
from ..models.offload_plan_request_compat_type_2_type_1 import (
    OffloadPlanRequestCompatType2Type1,
    check_offload_plan_request_compat_type_2_type_1,
)
from ..models.offload_plan_request_compat_type_3_type_1 import (
    OffloadPlanRequestCompatType3Type1,
    check_offload_plan_request_compat_type_3_type_1,
)
from ..models.offload_plan_request_mixed_precision import (
    OffloadPlanRequestMixedPrecision,
    check_offload_plan_request_mixed_precision,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.offload_plan_request_deepspeed_config import (
        OffloadPlanRequestDeepspeedConfig,
    )
    from ..models.offload_plan_request_model_type_1 import OffloadPlanRequestModelType1
    from ..models.offload_plan_request_trainer import OffloadPlanRequestTrainer


T = TypeVar("T", bound="OffloadPlanRequest")


@_attrs_define
class OffloadPlanRequest:
    """
    Attributes:
        deepspeed_config (OffloadPlanRequestDeepspeedConfig): DeepSpeed's configuration, or the contents of accelerate's
            launch file with the DeepSpeed plugin inside. Unknown keys are kept and listed.
        model (None | OffloadPlanRequestModelType1 | str):  Example: /models/llama.
        offload_to_cpu (bool | Unset): Whatever the configuration says of devices. Default: False.
        compat (None | OffloadPlanRequestCompatType1 | OffloadPlanRequestCompatType2Type1 |
            OffloadPlanRequestCompatType3Type1 | Unset): `trl-0.15`: exactly what TRL 0.15 hands to DeepSpeed, known defects
            included.
        num_processes (int | Unset): Processes of the run, for batch sizes that are "auto". Default: the launch file's,
            or 1.
        mixed_precision (OffloadPlanRequestMixedPrecision | Unset): accelerate's word. Default: what the launch file or
            the model's `config.json` says.
        trainer (OffloadPlanRequestTrainer | Unset): With `compat`: TRL 0.15's older function of the same name
            (`trl/trainer/utils.py`), and its arguments.
    """

    deepspeed_config: OffloadPlanRequestDeepspeedConfig
    model: None | OffloadPlanRequestModelType1 | str
    offload_to_cpu: bool | Unset = False
    compat: (
        None
        | OffloadPlanRequestCompatType1
        | OffloadPlanRequestCompatType2Type1
        | OffloadPlanRequestCompatType3Type1
        | Unset
    ) = UNSET
    num_processes: int | Unset = UNSET
    mixed_precision: OffloadPlanRequestMixedPrecision | Unset = UNSET
    trainer: OffloadPlanRequestTrainer | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.offload_plan_request_model_type_1 import (
            OffloadPlanRequestModelType1,
        )

        deepspeed_config = self.deepspeed_config.to_dict()

        model: dict[str, Any] | None | str
        if isinstance(self.model, OffloadPlanRequestModelType1):
            model = self.model.to_dict()
        else:
            model = self.model

        offload_to_cpu = self.offload_to_cpu

        compat: None | str | Unset
        if isinstance(self.compat, Unset):
            compat = UNSET
        elif (
            isinstance(self.compat, str)
            or isinstance(self.compat, str)
            or isinstance(self.compat, str)
        ):
            compat = self.compat
        else:
            compat = self.compat

        num_processes = self.num_processes

        mixed_precision: str | Unset = UNSET
        if not isinstance(self.mixed_precision, Unset):
            mixed_precision = self.mixed_precision

        trainer: dict[str, Any] | Unset = UNSET
        if not isinstance(self.trainer, Unset):
            trainer = self.trainer.to_dict()

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "deepspeed_config": deepspeed_config,
                "model": model,
            }
        )
        if offload_to_cpu is not UNSET:
            field_dict["offload_to_cpu"] = offload_to_cpu
        if compat is not UNSET:
            field_dict["compat"] = compat
        if num_processes is not UNSET:
            field_dict["num_processes"] = num_processes
        if mixed_precision is not UNSET:
            field_dict["mixed_precision"] = mixed_precision
        if trainer is not UNSET:
            field_dict["trainer"] = trainer

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.offload_plan_request_deepspeed_config import (
            OffloadPlanRequestDeepspeedConfig,
        )
        from ..models.offload_plan_request_model_type_1 import (
            OffloadPlanRequestModelType1,
        )
        from ..models.offload_plan_request_trainer import OffloadPlanRequestTrainer

        d = dict(src_dict)
        deepspeed_config = OffloadPlanRequestDeepspeedConfig.from_dict(
            d.pop("deepspeed_config")
        )

        def _parse_model(data: object) -> None | OffloadPlanRequestModelType1 | str:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                model_type_1 = OffloadPlanRequestModelType1.from_dict(data)

                return model_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | OffloadPlanRequestModelType1 | str, data)

        model = _parse_model(d.pop("model"))

        offload_to_cpu = d.pop("offload_to_cpu", UNSET)

        def _parse_compat(
            data: object,
        ) -> (
            None
            | OffloadPlanRequestCompatType1
            | OffloadPlanRequestCompatType2Type1
            | OffloadPlanRequestCompatType3Type1
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_1 = check_offload_plan_request_compat_type_1(data)

                return compat_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_2_type_1 = check_offload_plan_request_compat_type_2_type_1(
                    data
                )

                return compat_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_3_type_1 = check_offload_plan_request_compat_type_3_type_1(
                    data
                )

                return compat_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                None
                | OffloadPlanRequestCompatType1
                | OffloadPlanRequestCompatType2Type1
                | OffloadPlanRequestCompatType3Type1
                | Unset,
                data,
            )

        compat = _parse_compat(d.pop("compat", UNSET))

        num_processes = d.pop("num_processes", UNSET)

        _mixed_precision = d.pop("mixed_precision", UNSET)
        mixed_precision: OffloadPlanRequestMixedPrecision | Unset
        if isinstance(_mixed_precision, Unset):
            mixed_precision = UNSET
        else:
            mixed_precision = check_offload_plan_request_mixed_precision(
                _mixed_precision
            )

        _trainer = d.pop("trainer", UNSET)
        trainer: OffloadPlanRequestTrainer | Unset
        if isinstance(_trainer, Unset):
            trainer = UNSET
        else:
            trainer = OffloadPlanRequestTrainer.from_dict(_trainer)

        offload_plan_request = cls(
            deepspeed_config=deepspeed_config,
            model=model,
            offload_to_cpu=offload_to_cpu,
            compat=compat,
            num_processes=num_processes,
            mixed_precision=mixed_precision,
            trainer=trainer,
        )

        return offload_plan_request
