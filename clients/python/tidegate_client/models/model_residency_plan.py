from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.model_residency_plan_compat_type_1 import (
    ModelResidencyPlanCompatType1,
    check_model_residency_plan_compat_type_1,
)
from ..models.model_residency_plan_compat_type_2_type_1 import (
    ModelResidencyPlanCompatType2Type1,
    check_model_residency_plan_compat_type_2_type_1,
)
from ..models.model_residency_plan_compat_type_3_type_1 import (
    ModelResidencyPlanCompatType3Type1,
    check_model_residency_plan_compat_type_3_type_1,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.model_residency_plan_config import ModelResidencyPlanConfig
    from ..models.model_residency_plan_corrected_type_0 import (
        ModelResidencyPlanCorrectedType0,
    )
    from ..models.model_residency_plan_corrected_type_1 import (
        ModelResidencyPlanCorrectedType1,
    )
    from ..models.model_residency_plan_groups_item import ModelResidencyPlanGroupsItem
    from ..models.model_residency_plan_original_type_0 import (
        ModelResidencyPlanOriginalType0,
    )
    from ..models.model_residency_plan_original_type_1 import (
        ModelResidencyPlanOriginalType1,
    )
    from ..models.model_residency_plan_plugin_config import (
        ModelResidencyPlanPluginConfig,
    )
    from ..models.model_residency_plan_residency import ModelResidencyPlanResidency
    from ..models.tier_bytes import TierBytes


T = TypeVar("T", bound="ModelResidencyPlan")


@_attrs_define
class ModelResidencyPlan:
    """When a DeepSpeed configuration was applied.

    Attributes:
        compat (ModelResidencyPlanCompatType1 | ModelResidencyPlanCompatType2Type1 | ModelResidencyPlanCompatType3Type1
            | None):
        config (ModelResidencyPlanConfig): What DeepSpeed is handed: `original` with `compat`, else `corrected`.
        notes (list[str]): `path: text`, each difference to the original with its reason.
        unknown_keys (list[str]): Paths of keys that DeepSpeed does not know; kept.
        original (ModelResidencyPlanOriginalType0 | ModelResidencyPlanOriginalType1): TRL 0.15's result.
        corrected (ModelResidencyPlanCorrectedType0 | ModelResidencyPlanCorrectedType1): Its result without the known
            defects.
        model (None | str): Absolute path; null when only a shape was given.
        hidden_size (int | None):
        groups (list[ModelResidencyPlanGroupsItem]): In the order of use: `embed`, `layers.0` …, `head`. Bytes as in the
            files.
        bytes_ (TierBytes):
        residency (ModelResidencyPlanResidency): What decides where weights live.
        plugin_config (ModelResidencyPlanPluginConfig | Unset): With `trainer`: the caller's configuration afterwards,
            which that function changes in place.
    """

    compat: (
        ModelResidencyPlanCompatType1
        | ModelResidencyPlanCompatType2Type1
        | ModelResidencyPlanCompatType3Type1
        | None
    )
    config: ModelResidencyPlanConfig
    notes: list[str]
    unknown_keys: list[str]
    original: ModelResidencyPlanOriginalType0 | ModelResidencyPlanOriginalType1
    corrected: ModelResidencyPlanCorrectedType0 | ModelResidencyPlanCorrectedType1
    model: None | str
    hidden_size: int | None
    groups: list[ModelResidencyPlanGroupsItem]
    bytes_: TierBytes
    residency: ModelResidencyPlanResidency
    plugin_config: ModelResidencyPlanPluginConfig | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.model_residency_plan_corrected_type_0 import (
            ModelResidencyPlanCorrectedType0,
        )
        from ..models.model_residency_plan_original_type_0 import (
            ModelResidencyPlanOriginalType0,
        )

        compat: None | str
        if (
            isinstance(self.compat, str)
            or isinstance(self.compat, str)
            or isinstance(self.compat, str)
        ):
            compat = self.compat
        else:
            compat = self.compat

        config = self.config.to_dict()

        notes = self.notes

        unknown_keys = self.unknown_keys

        original: dict[str, Any]
        if isinstance(self.original, ModelResidencyPlanOriginalType0):
            original = self.original.to_dict()
        else:
            original = self.original.to_dict()

        corrected: dict[str, Any]
        if isinstance(self.corrected, ModelResidencyPlanCorrectedType0):
            corrected = self.corrected.to_dict()
        else:
            corrected = self.corrected.to_dict()

        model: None | str
        model = self.model

        hidden_size: int | None
        hidden_size = self.hidden_size

        groups = []
        for groups_item_data in self.groups:
            groups_item = groups_item_data.to_dict()
            groups.append(groups_item)

        bytes_ = self.bytes_.to_dict()

        residency = self.residency.to_dict()

        plugin_config: dict[str, Any] | Unset = UNSET
        if not isinstance(self.plugin_config, Unset):
            plugin_config = self.plugin_config.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "compat": compat,
                "config": config,
                "notes": notes,
                "unknown_keys": unknown_keys,
                "original": original,
                "corrected": corrected,
                "model": model,
                "hidden_size": hidden_size,
                "groups": groups,
                "bytes": bytes_,
                "residency": residency,
            }
        )
        if plugin_config is not UNSET:
            field_dict["plugin_config"] = plugin_config

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.model_residency_plan_config import ModelResidencyPlanConfig
        from ..models.model_residency_plan_corrected_type_0 import (
            ModelResidencyPlanCorrectedType0,
        )
        from ..models.model_residency_plan_corrected_type_1 import (
            ModelResidencyPlanCorrectedType1,
        )
        from ..models.model_residency_plan_groups_item import (
            ModelResidencyPlanGroupsItem,
        )
        from ..models.model_residency_plan_original_type_0 import (
            ModelResidencyPlanOriginalType0,
        )
        from ..models.model_residency_plan_original_type_1 import (
            ModelResidencyPlanOriginalType1,
        )
        from ..models.model_residency_plan_plugin_config import (
            ModelResidencyPlanPluginConfig,
        )
        from ..models.model_residency_plan_residency import ModelResidencyPlanResidency
        from ..models.tier_bytes import TierBytes

        d = dict(src_dict)

        def _parse_compat(
            data: object,
        ) -> (
            ModelResidencyPlanCompatType1
            | ModelResidencyPlanCompatType2Type1
            | ModelResidencyPlanCompatType3Type1
            | None
        ):
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_1 = check_model_residency_plan_compat_type_1(data)

                return compat_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_2_type_1 = check_model_residency_plan_compat_type_2_type_1(
                    data
                )

                return compat_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                compat_type_3_type_1 = check_model_residency_plan_compat_type_3_type_1(
                    data
                )

                return compat_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                ModelResidencyPlanCompatType1
                | ModelResidencyPlanCompatType2Type1
                | ModelResidencyPlanCompatType3Type1
                | None,
                data,
            )

        compat = _parse_compat(d.pop("compat"))

        config = ModelResidencyPlanConfig.from_dict(d.pop("config"))

        notes = cast(list[str], d.pop("notes"))

        unknown_keys = cast(list[str], d.pop("unknown_keys"))

        def _parse_original(
            data: object,
        ) -> ModelResidencyPlanOriginalType0 | ModelResidencyPlanOriginalType1:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                original_type_0 = ModelResidencyPlanOriginalType0.from_dict(data)

                return original_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            original_type_1 = ModelResidencyPlanOriginalType1.from_dict(data)

            return original_type_1

        original = _parse_original(d.pop("original"))

        def _parse_corrected(
            data: object,
        ) -> ModelResidencyPlanCorrectedType0 | ModelResidencyPlanCorrectedType1:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                corrected_type_0 = ModelResidencyPlanCorrectedType0.from_dict(data)

                return corrected_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            corrected_type_1 = ModelResidencyPlanCorrectedType1.from_dict(data)

            return corrected_type_1

        corrected = _parse_corrected(d.pop("corrected"))

        def _parse_model(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        model = _parse_model(d.pop("model"))

        def _parse_hidden_size(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        hidden_size = _parse_hidden_size(d.pop("hidden_size"))

        groups = []
        _groups = d.pop("groups")
        for groups_item_data in _groups:
            groups_item = ModelResidencyPlanGroupsItem.from_dict(groups_item_data)

            groups.append(groups_item)

        bytes_ = TierBytes.from_dict(d.pop("bytes"))

        residency = ModelResidencyPlanResidency.from_dict(d.pop("residency"))

        _plugin_config = d.pop("plugin_config", UNSET)
        plugin_config: ModelResidencyPlanPluginConfig | Unset
        if isinstance(_plugin_config, Unset):
            plugin_config = UNSET
        else:
            plugin_config = ModelResidencyPlanPluginConfig.from_dict(_plugin_config)

        model_residency_plan = cls(
            compat=compat,
            config=config,
            notes=notes,
            unknown_keys=unknown_keys,
            original=original,
            corrected=corrected,
            model=model,
            hidden_size=hidden_size,
            groups=groups,
            bytes_=bytes_,
            residency=residency,
            plugin_config=plugin_config,
        )

        model_residency_plan.additional_properties = d
        return model_residency_plan

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
