from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.vllm_server_info_vllm_config_type_1 import (
        VllmServerInfoVllmConfigType1,
    )


T = TypeVar("T", bound="VllmServerInfo")


@_attrs_define
class VllmServerInfo:
    """
    Attributes:
        vllm_config (str | VllmServerInfoVllmConfigType1):
        vllm_env (Any | Unset):
        system_env (Any | Unset):
    """

    vllm_config: str | VllmServerInfoVllmConfigType1
    vllm_env: Any | Unset = UNSET
    system_env: Any | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.vllm_server_info_vllm_config_type_1 import (
            VllmServerInfoVllmConfigType1,
        )

        vllm_config: dict[str, Any] | str
        if isinstance(self.vllm_config, VllmServerInfoVllmConfigType1):
            vllm_config = self.vllm_config.to_dict()
        else:
            vllm_config = self.vllm_config

        vllm_env = self.vllm_env

        system_env = self.system_env

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "vllm_config": vllm_config,
            }
        )
        if vllm_env is not UNSET:
            field_dict["vllm_env"] = vllm_env
        if system_env is not UNSET:
            field_dict["system_env"] = system_env

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.vllm_server_info_vllm_config_type_1 import (
            VllmServerInfoVllmConfigType1,
        )

        d = dict(src_dict)

        def _parse_vllm_config(data: object) -> str | VllmServerInfoVllmConfigType1:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                vllm_config_type_1 = VllmServerInfoVllmConfigType1.from_dict(data)

                return vllm_config_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | VllmServerInfoVllmConfigType1, data)

        vllm_config = _parse_vllm_config(d.pop("vllm_config"))

        vllm_env = d.pop("vllm_env", UNSET)

        system_env = d.pop("system_env", UNSET)

        vllm_server_info = cls(
            vllm_config=vllm_config,
            vllm_env=vllm_env,
            system_env=system_env,
        )

        vllm_server_info.additional_properties = d
        return vllm_server_info

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
