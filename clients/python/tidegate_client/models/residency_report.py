from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.residency_report_groups_item import ResidencyReportGroupsItem
    from ..models.tier_bytes import TierBytes


T = TypeVar("T", bound="ResidencyReport")


@_attrs_define
class ResidencyReport:
    """Measured by the worker. On a CPU, device and cpu are one memory and count as cpu.

    Attributes:
        groups (list[ResidencyReportGroupsItem]):
        bytes_ (TierBytes):
        budget_bytes (int | None): null = no limit.
        page_ins (int): Groups read from disk for a step since the worker started.
        tokens (int): Tokens computed since the worker started.
        gathered (int): Groups in memory only because a generation lease holds them.
    """

    groups: list[ResidencyReportGroupsItem]
    bytes_: TierBytes
    budget_bytes: int | None
    page_ins: int
    tokens: int
    gathered: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        groups = []
        for groups_item_data in self.groups:
            groups_item = groups_item_data.to_dict()
            groups.append(groups_item)

        bytes_ = self.bytes_.to_dict()

        budget_bytes: int | None
        budget_bytes = self.budget_bytes

        page_ins = self.page_ins

        tokens = self.tokens

        gathered = self.gathered

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "groups": groups,
                "bytes": bytes_,
                "budget_bytes": budget_bytes,
                "page_ins": page_ins,
                "tokens": tokens,
                "gathered": gathered,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.residency_report_groups_item import ResidencyReportGroupsItem
        from ..models.tier_bytes import TierBytes

        d = dict(src_dict)
        groups = []
        _groups = d.pop("groups")
        for groups_item_data in _groups:
            groups_item = ResidencyReportGroupsItem.from_dict(groups_item_data)

            groups.append(groups_item)

        bytes_ = TierBytes.from_dict(d.pop("bytes"))

        def _parse_budget_bytes(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        budget_bytes = _parse_budget_bytes(d.pop("budget_bytes"))

        page_ins = d.pop("page_ins")

        tokens = d.pop("tokens")

        gathered = d.pop("gathered")

        residency_report = cls(
            groups=groups,
            bytes_=bytes_,
            budget_bytes=budget_bytes,
            page_ins=page_ins,
            tokens=tokens,
            gathered=gathered,
        )

        residency_report.additional_properties = d
        return residency_report

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
