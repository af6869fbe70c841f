from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.server_residency_type_0_bytes import ServerResidencyType0Bytes


T = TypeVar("T", bound="ServerResidencyType0")


@_attrs_define
class ServerResidencyType0:
    """
    Attributes:
        bytes_ (ServerResidencyType0Bytes): Weights by tier, as float32, every byte once. On a CPU device and cpu are
            one: cpu.
        budget_bytes (int | None): The memory budget (`--max-in-cpu`); null: no limit.
        page_ins (int): Groups of weights read from disk for a step, since the worker started.
        tokens (int): Tokens computed since the worker started, of prompts and of outputs.
        page_ins_per_token (float | None): null before the first token.
        gathered (int): Groups that are in memory only for a generation lease.
        process_bytes (int | None): Resident memory of the worker: weights, KV cache, the program; null: not measured.
    """

    bytes_: ServerResidencyType0Bytes
    budget_bytes: int | None
    page_ins: int
    tokens: int
    page_ins_per_token: float | None
    gathered: int
    process_bytes: int | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        bytes_ = self.bytes_.to_dict()

        budget_bytes: int | None
        budget_bytes = self.budget_bytes

        page_ins = self.page_ins

        tokens = self.tokens

        page_ins_per_token: float | None
        page_ins_per_token = self.page_ins_per_token

        gathered = self.gathered

        process_bytes: int | None
        process_bytes = self.process_bytes

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "bytes": bytes_,
                "budget_bytes": budget_bytes,
                "page_ins": page_ins,
                "tokens": tokens,
                "page_ins_per_token": page_ins_per_token,
                "gathered": gathered,
                "process_bytes": process_bytes,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.server_residency_type_0_bytes import ServerResidencyType0Bytes

        d = dict(src_dict)
        bytes_ = ServerResidencyType0Bytes.from_dict(d.pop("bytes"))

        def _parse_budget_bytes(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        budget_bytes = _parse_budget_bytes(d.pop("budget_bytes"))

        page_ins = d.pop("page_ins")

        tokens = d.pop("tokens")

        def _parse_page_ins_per_token(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        page_ins_per_token = _parse_page_ins_per_token(d.pop("page_ins_per_token"))

        gathered = d.pop("gathered")

        def _parse_process_bytes(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        process_bytes = _parse_process_bytes(d.pop("process_bytes"))

        server_residency_type_0 = cls(
            bytes_=bytes_,
            budget_bytes=budget_bytes,
            page_ins=page_ins,
            tokens=tokens,
            page_ins_per_token=page_ins_per_token,
            gathered=gathered,
            process_bytes=process_bytes,
        )

        server_residency_type_0.additional_properties = d
        return server_residency_type_0

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
