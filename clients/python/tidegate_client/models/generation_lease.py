from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.generation_lease_state import (
    GenerationLeaseState,
    check_generation_lease_state,
)

T = TypeVar("T", bound="GenerationLease")


@_attrs_define
class GenerationLease:
    """
    Attributes:
        id (str): Id of a generation lease. Example: gl_2b6c91.
        model (str):
        state (GenerationLeaseState): `released`: given back by its holder. `expired`: nobody renewed it. `revoked`: a
            weight sync or a shutdown took it. `lost`: its worker died.
        reason (None | str): Why it ended.
        gather (bool | list[str]):
        ttl_s (float):
        parent (None | str):
        created_at (datetime.datetime):
        expires_at (datetime.datetime):
        ended_at (datetime.datetime | None):
        created_by (str): Name of the API key.
        servers (list[str]): Replicas that hold the gathered groups.
    """

    id: str
    model: str
    state: GenerationLeaseState
    reason: None | str
    gather: bool | list[str]
    ttl_s: float
    parent: None | str
    created_at: datetime.datetime
    expires_at: datetime.datetime
    ended_at: datetime.datetime | None
    created_by: str
    servers: list[str]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        model = self.model

        state: str = self.state

        reason: None | str
        reason = self.reason

        gather: bool | list[str]
        if isinstance(self.gather, list):
            gather = self.gather

        else:
            gather = self.gather

        ttl_s = self.ttl_s

        parent: None | str
        parent = self.parent

        created_at = self.created_at.isoformat()

        expires_at = self.expires_at.isoformat()

        ended_at: None | str
        if isinstance(self.ended_at, datetime.datetime):
            ended_at = self.ended_at.isoformat()
        else:
            ended_at = self.ended_at

        created_by = self.created_by

        servers = self.servers

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "model": model,
                "state": state,
                "reason": reason,
                "gather": gather,
                "ttl_s": ttl_s,
                "parent": parent,
                "created_at": created_at,
                "expires_at": expires_at,
                "ended_at": ended_at,
                "created_by": created_by,
                "servers": servers,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        model = d.pop("model")

        state = check_generation_lease_state(d.pop("state"))

        def _parse_reason(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        reason = _parse_reason(d.pop("reason"))

        def _parse_gather(data: object) -> bool | list[str]:
            try:
                if not isinstance(data, list):
                    raise TypeError()
                gather_type_1 = cast(list[str], data)

                return gather_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(bool | list[str], data)

        gather = _parse_gather(d.pop("gather"))

        ttl_s = d.pop("ttl_s")

        def _parse_parent(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        parent = _parse_parent(d.pop("parent"))

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        expires_at = datetime.datetime.fromisoformat(d.pop("expires_at"))

        def _parse_ended_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                ended_at_type_0 = datetime.datetime.fromisoformat(data)

                return ended_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        ended_at = _parse_ended_at(d.pop("ended_at"))

        created_by = d.pop("created_by")

        servers = cast(list[str], d.pop("servers"))

        generation_lease = cls(
            id=id,
            model=model,
            state=state,
            reason=reason,
            gather=gather,
            ttl_s=ttl_s,
            parent=parent,
            created_at=created_at,
            expires_at=expires_at,
            ended_at=ended_at,
            created_by=created_by,
            servers=servers,
        )

        generation_lease.additional_properties = d
        return generation_lease

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
