from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..models.plan_directive_compat_type_1 import (
    PlanDirectiveCompatType1,
    check_plan_directive_compat_type_1,
)
from ..models.plan_directive_compat_type_2_type_1 import (
    PlanDirectiveCompatType2Type1,
    check_plan_directive_compat_type_2_type_1,
)
from ..models.plan_directive_compat_type_3_type_1 import (
    PlanDirectiveCompatType3Type1,
    check_plan_directive_compat_type_3_type_1,
)
from ..models.plan_directive_mixed_precision import (
    PlanDirectiveMixedPrecision,
    check_plan_directive_mixed_precision,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.plan_directive_deepspeed_config import PlanDirectiveDeepspeedConfig


T = TypeVar("T", bound="PlanDirective")


@_attrs_define
class PlanDirective:
    """A DeepSpeed configuration to apply.

    Attributes:
        deepspeed_config (PlanDirectiveDeepspeedConfig): DeepSpeed's configuration, or the contents of accelerate's
            launch file with the DeepSpeed plugin inside. Unknown keys are kept and listed.
        offload_to_cpu (bool | Unset): Whatever the configuration says of devices. Default: False.
        compat (None | PlanDirectiveCompatType1 | PlanDirectiveCompatType2Type1 | PlanDirectiveCompatType3Type1 |
            Unset): `trl-0.15`: exactly what TRL 0.15 hands to DeepSpeed, known defects included.
        num_processes (int | Unset): Processes of the run, for batch sizes that are "auto". Default: the launch file's,
            or 1.
        mixed_precision (PlanDirectiveMixedPrecision | Unset): accelerate's word. Default: what the launch file or the
            model's `config.json` says.
    """

    deepspeed_config: PlanDirectiveDeepspeedConfig
    offload_to_cpu: bool | Unset = False
    compat: (
        None
        | PlanDirectiveCompatType1
        | PlanDirectiveCompatType2Type1
        | PlanDirectiveCompatType3Type1
        | Unset
    ) = UNSET
    num_processes: int | Unset = UNSET
    mixed_precision: PlanDirectiveMixedPrecision | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        deepspeed_config = self.deepspeed_config.to_dict()

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

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "deepspeed_config": deepspeed_config,
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

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.plan_directive_deepspeed_config import (
            PlanDirectiveDeepspeedConfig,
        )

        d = dict(src_dict)
        deepspeed_config = PlanDirectiveDeepspeedConfig.from_dict(
            d.pop("deepspeed_config")
        )

        offload_to_cpu = d.pop("offload_to_cpu", UNSET)

        def _parse_compat(
            data: object,
        ) -> (
            None
            | PlanDirectiveCompatType1
            | PlanDirectiveCompatType2Type1
            | PlanDirectiveCompatType3Type1
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_1 = check_plan_directive_compat_type_1(data)

                return compat_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_2_type_1 = check_plan_directive_compat_type_2_type_1(data)

                return compat_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_3_type_1 = check_plan_directive_compat_type_3_type_1(data)

                return compat_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                None
                | PlanDirectiveCompatType1
                | PlanDirectiveCompatType2Type1
                | PlanDirectiveCompatType3Type1
                | Unset,
                data,
            )

        compat = _parse_compat(d.pop("compat", UNSET))

        num_processes = d.pop("num_processes", UNSET)

        _mixed_precision = d.pop("mixed_precision", UNSET)
        mixed_precision: PlanDirectiveMixedPrecision | Unset
        if isinstance(_mixed_precision, Unset):
            mixed_precision = UNSET
        else:
            mixed_precision = check_plan_directive_mixed_precision(_mixed_precision)

        plan_directive = cls(
            deepspeed_config=deepspeed_config,
            offload_to_cpu=offload_to_cpu,
            compat=compat,
            num_processes=num_processes,
            mixed_precision=mixed_precision,
        )

        return plan_directive
