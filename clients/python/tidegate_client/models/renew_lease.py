from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

T = TypeVar("T", bound="RenewLease")


@_attrs_define
class RenewLease:
    """
    Attributes:
        ttl_s (float): Seconds until it ends by itself; renew it with PATCH. Example: 60.
    """

    ttl_s: float

    def to_dict(self) -> dict[str, Any]:
        ttl_s = self.ttl_s

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "ttl_s": ttl_s,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        ttl_s = d.pop("ttl_s")

        renew_lease = cls(
            ttl_s=ttl_s,
        )

        return renew_lease
