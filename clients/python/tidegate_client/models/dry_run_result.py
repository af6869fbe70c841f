from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.dry_run_result_servers_item import DryRunResultServersItem


T = TypeVar("T", bound="DryRunResult")


@_attrs_define
class DryRunResult:
    """
    Attributes:
        possible (bool):
        servers (list[DryRunResultServersItem]):
        reasons (list[str]):
        bytes_total (int | None):
        digest (None | str):
    """

    possible: bool
    servers: list[DryRunResultServersItem]
    reasons: list[str]
    bytes_total: int | None
    digest: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        possible = self.possible

        servers = []
        for servers_item_data in self.servers:
            servers_item = servers_item_data.to_dict()
            servers.append(servers_item)

        reasons = self.reasons

        bytes_total: int | None
        bytes_total = self.bytes_total

        digest: None | str
        digest = self.digest

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "possible": possible,
                "servers": servers,
                "reasons": reasons,
                "bytes_total": bytes_total,
                "digest": digest,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.dry_run_result_servers_item import DryRunResultServersItem

        d = dict(src_dict)
        possible = d.pop("possible")

        servers = []
        _servers = d.pop("servers")
        for servers_item_data in _servers:
            servers_item = DryRunResultServersItem.from_dict(servers_item_data)

            servers.append(servers_item)

        reasons = cast(list[str], d.pop("reasons"))

        def _parse_bytes_total(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        bytes_total = _parse_bytes_total(d.pop("bytes_total"))

        def _parse_digest(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        digest = _parse_digest(d.pop("digest"))

        dry_run_result = cls(
            possible=possible,
            servers=servers,
            reasons=reasons,
            bytes_total=bytes_total,
            digest=digest,
        )

        dry_run_result.additional_properties = d
        return dry_run_result

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
