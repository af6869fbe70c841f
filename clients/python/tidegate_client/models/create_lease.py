from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="CreateLease")


@_attrs_define
class CreateLease:
    """
    Attributes:
        model (str | Unset): Default: the model that is served.
        gather (bool | list[str] | Unset): `true`: all offloaded groups come into memory. `false`: none does
            (`gather_deepspeed3_params=False`). Or the names of groups. Default: True.
        ttl_s (float | Unset): Seconds until it ends by itself; renew it with PATCH. Default: 60.0. Example: 60.
        wait_s (float | Unset): Seconds to wait while a weight sync switches the model. Default: 60.0.
        parent (str | Unset): A lease that the caller holds. A nested one does not wait for a weight sync that waits for
            its parent. Example: gl_2b6c91.
        stream (bool | Unset): Answer with server-sent events; the lease ends when the connection does. Default: False.
    """

    model: str | Unset = UNSET
    gather: bool | list[str] | Unset = True
    ttl_s: float | Unset = 60.0
    wait_s: float | Unset = 60.0
    parent: str | Unset = UNSET
    stream: bool | Unset = False

    def to_dict(self) -> dict[str, Any]:
        model = self.model

        gather: bool | list[str] | Unset
        if isinstance(self.gather, Unset):
            gather = UNSET
        elif isinstance(self.gather, list):
            gather = self.gather

        else:
            gather = self.gather

        ttl_s = self.ttl_s

        wait_s = self.wait_s

        parent = self.parent

        stream = self.stream

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if model is not UNSET:
            field_dict["model"] = model
        if gather is not UNSET:
            field_dict["gather"] = gather
        if ttl_s is not UNSET:
            field_dict["ttl_s"] = ttl_s
        if wait_s is not UNSET:
            field_dict["wait_s"] = wait_s
        if parent is not UNSET:
            field_dict["parent"] = parent
        if stream is not UNSET:
            field_dict["stream"] = stream

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        model = d.pop("model", UNSET)

        def _parse_gather(data: object) -> bool | list[str] | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                gather_type_1 = cast(list[str], data)

                return gather_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(bool | list[str] | Unset, data)

        gather = _parse_gather(d.pop("gather", UNSET))

        ttl_s = d.pop("ttl_s", UNSET)

        wait_s = d.pop("wait_s", UNSET)

        parent = d.pop("parent", UNSET)

        stream = d.pop("stream", UNSET)

        create_lease = cls(
            model=model,
            gather=gather,
            ttl_s=ttl_s,
            wait_s=wait_s,
            parent=parent,
            stream=stream,
        )

        return create_lease
