from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.error_code import ErrorCode, check_error_code
from ..types import UNSET, Unset

T = TypeVar("T", bound="Problem")


@_attrs_define
class Problem:
    """RFC 9457 problem details. Served as `application/problem+json`.

    Example:
        {'type': 'urn:tidegate:error:not_found', 'title': 'not found', 'status': 404, 'detail': 'No server is called
            embedded-7. GET /api/servers lists them.', 'code': 'not_found', 'retryable': False, 'param': 'id', 'request_id':
            '0f8c8a52-7d0e-4c5a-9f5e-0d6a0f6a2f10'}

    Attributes:
        type_ (str): `urn:tidegate:error:` and the code.
        title (str): The code in words.
        status (int):
        detail (str): What is wrong: the field, its value and what is accepted.
        code (ErrorCode): The closed list of error codes. Status and whether a repeat can help: see the document's
            description.
        retryable (bool): True when the very same request may succeed later.
        request_id (str):
        param (str | Unset): The field at fault, as the caller wrote it.
        phase (str | Unset): Phase of the weight sync that failed.
        replica (str | Unset):
        tensor (str | Unset): Name of the tensor at fault.
        missing_bytes (int | Unset): How much memory more would have been enough.
        upstream (str | Unset): What the upstream said, cut to a bounded length.
    """

    type_: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    retryable: bool
    request_id: str
    param: str | Unset = UNSET
    phase: str | Unset = UNSET
    replica: str | Unset = UNSET
    tensor: str | Unset = UNSET
    missing_bytes: int | Unset = UNSET
    upstream: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        title = self.title

        status = self.status

        detail = self.detail

        code: str = self.code

        retryable = self.retryable

        request_id = self.request_id

        param = self.param

        phase = self.phase

        replica = self.replica

        tensor = self.tensor

        missing_bytes = self.missing_bytes

        upstream = self.upstream

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "title": title,
                "status": status,
                "detail": detail,
                "code": code,
                "retryable": retryable,
                "request_id": request_id,
            }
        )
        if param is not UNSET:
            field_dict["param"] = param
        if phase is not UNSET:
            field_dict["phase"] = phase
        if replica is not UNSET:
            field_dict["replica"] = replica
        if tensor is not UNSET:
            field_dict["tensor"] = tensor
        if missing_bytes is not UNSET:
            field_dict["missing_bytes"] = missing_bytes
        if upstream is not UNSET:
            field_dict["upstream"] = upstream

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        type_ = d.pop("type")

        title = d.pop("title")

        status = d.pop("status")

        detail = d.pop("detail")

        code = check_error_code(d.pop("code"))

        retryable = d.pop("retryable")

        request_id = d.pop("request_id")

        param = d.pop("param", UNSET)

        phase = d.pop("phase", UNSET)

        replica = d.pop("replica", UNSET)

        tensor = d.pop("tensor", UNSET)

        missing_bytes = d.pop("missing_bytes", UNSET)

        upstream = d.pop("upstream", UNSET)

        problem = cls(
            type_=type_,
            title=title,
            status=status,
            detail=detail,
            code=code,
            retryable=retryable,
            request_id=request_id,
            param=param,
            phase=phase,
            replica=replica,
            tensor=tensor,
            missing_bytes=missing_bytes,
            upstream=upstream,
        )

        problem.additional_properties = d
        return problem

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
