from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.version_info_name import VersionInfoName, check_version_info_name

T = TypeVar("T", bound="VersionInfo")


@_attrs_define
class VersionInfo:
    """
    Example:
        {'version': '0.1.0', 'name': 'tidegate', 'runtime': 'bun 1.4.5', 'weight_version': 3, 'weight_digest': None}

    Attributes:
        version (str): Version of the gateway; the field that vLLM's `/version` has, too.
        name (VersionInfoName):
        runtime (str): JavaScript runtime and its version.
        weight_version (int): An integer that only grows; the first weights served are 0. Example: 412.
        weight_digest (None | str):
    """

    version: str
    name: VersionInfoName
    runtime: str
    weight_version: int
    weight_digest: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        version = self.version

        name: str = self.name

        runtime = self.runtime

        weight_version = self.weight_version

        weight_digest: None | str
        weight_digest = self.weight_digest

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "version": version,
                "name": name,
                "runtime": runtime,
                "weight_version": weight_version,
                "weight_digest": weight_digest,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        version = d.pop("version")

        name = check_version_info_name(d.pop("name"))

        runtime = d.pop("runtime")

        weight_version = d.pop("weight_version")

        def _parse_weight_digest(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        weight_digest = _parse_weight_digest(d.pop("weight_digest"))

        version_info = cls(
            version=version,
            name=name,
            runtime=runtime,
            weight_version=weight_version,
            weight_digest=weight_digest,
        )

        version_info.additional_properties = d
        return version_info

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
