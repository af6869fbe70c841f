from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.server_kind import ServerKind, check_server_kind
from ..models.server_state import ServerState, check_server_state
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.server_adapters import ServerAdapters
    from ..models.server_details import ServerDetails
    from ..models.server_residency_type_0 import ServerResidencyType0


T = TypeVar("T", bound="Server")


@_attrs_define
class Server:
    """
    Attributes:
        id (str): Id of a replica: lower case letters, digits and dashes. Example: embedded-0.
        kind (ServerKind):
        url (None | str): Base URL of an upstream; null for a worker process.
        state (ServerState): Lifecycle of a replica. Only `ready` ones are given requests.
        weight_version (int | None):
        weight_digest (None | str):
        world_size (int):
        in_flight (int):
        weight (float): Share of the requests under `--policy weighted`, relative to the other servers. Default 1.
        models (list[str]):
        last_error (None | str):
        residency (None | ServerResidencyType0): null for servers whose weights are not ours to move.
        details (ServerDetails):
        adapters (ServerAdapters | Unset): LoRA adapters that were loaded through the gateway, and their versions;
            absent without.
    """

    id: str
    kind: ServerKind
    url: None | str
    state: ServerState
    weight_version: int | None
    weight_digest: None | str
    world_size: int
    in_flight: int
    weight: float
    models: list[str]
    last_error: None | str
    residency: None | ServerResidencyType0
    details: ServerDetails
    adapters: ServerAdapters | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.server_residency_type_0 import ServerResidencyType0

        id = self.id

        kind: str = self.kind

        url: None | str
        url = self.url

        state: str = self.state

        weight_version: int | None
        weight_version = self.weight_version

        weight_digest: None | str
        weight_digest = self.weight_digest

        world_size = self.world_size

        in_flight = self.in_flight

        weight = self.weight

        models = self.models

        last_error: None | str
        last_error = self.last_error

        residency: dict[str, Any] | None
        if isinstance(self.residency, ServerResidencyType0):
            residency = self.residency.to_dict()
        else:
            residency = self.residency

        details = self.details.to_dict()

        adapters: dict[str, Any] | Unset = UNSET
        if not isinstance(self.adapters, Unset):
            adapters = self.adapters.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "kind": kind,
                "url": url,
                "state": state,
                "weight_version": weight_version,
                "weight_digest": weight_digest,
                "world_size": world_size,
                "in_flight": in_flight,
                "weight": weight,
                "models": models,
                "last_error": last_error,
                "residency": residency,
                "details": details,
            }
        )
        if adapters is not UNSET:
            field_dict["adapters"] = adapters

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.server_adapters import ServerAdapters
        from ..models.server_details import ServerDetails
        from ..models.server_residency_type_0 import ServerResidencyType0

        d = dict(src_dict)
        id = d.pop("id")

        kind = check_server_kind(d.pop("kind"))

        def _parse_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        url = _parse_url(d.pop("url"))

        state = check_server_state(d.pop("state"))

        def _parse_weight_version(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        weight_version = _parse_weight_version(d.pop("weight_version"))

        def _parse_weight_digest(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        weight_digest = _parse_weight_digest(d.pop("weight_digest"))

        world_size = d.pop("world_size")

        in_flight = d.pop("in_flight")

        weight = d.pop("weight")

        models = cast(list[str], d.pop("models"))

        def _parse_last_error(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        last_error = _parse_last_error(d.pop("last_error"))

        def _parse_residency(data: object) -> None | ServerResidencyType0:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                residency_type_0 = ServerResidencyType0.from_dict(data)

                return residency_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | ServerResidencyType0, data)

        residency = _parse_residency(d.pop("residency"))

        details = ServerDetails.from_dict(d.pop("details"))

        _adapters = d.pop("adapters", UNSET)
        adapters: ServerAdapters | Unset
        if isinstance(_adapters, Unset):
            adapters = UNSET
        else:
            adapters = ServerAdapters.from_dict(_adapters)

        server = cls(
            id=id,
            kind=kind,
            url=url,
            state=state,
            weight_version=weight_version,
            weight_digest=weight_digest,
            world_size=world_size,
            in_flight=in_flight,
            weight=weight,
            models=models,
            last_error=last_error,
            residency=residency,
            details=details,
            adapters=adapters,
        )

        server.additional_properties = d
        return server

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
