from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.model_object import ModelObject, check_model_object
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.model_permission_item import ModelPermissionItem


T = TypeVar("T", bound="Model")


@_attrs_define
class Model:
    """
    Example:
        {'id': 'tide-nano', 'object': 'model', 'created': 1795401568, 'owned_by': 'tidegate', 'root': 'models/tide-
            nano/base', 'parent': None, 'max_model_len': 512, 'permission': []}

    Attributes:
        id (str):
        object_ (ModelObject):
        created (int):
        owned_by (str):
        root (str):
        parent (None | str): Base model of a LoRA adapter.
        max_model_len (int | None):
        permission (list[ModelPermissionItem]):
        adapter_version (int | Unset): Of a LoRA adapter that was loaded through the gateway: 1 for the first load of
            its name.
    """

    id: str
    object_: ModelObject
    created: int
    owned_by: str
    root: str
    parent: None | str
    max_model_len: int | None
    permission: list[ModelPermissionItem]
    adapter_version: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        object_: str = self.object_

        created = self.created

        owned_by = self.owned_by

        root = self.root

        parent: None | str
        parent = self.parent

        max_model_len: int | None
        max_model_len = self.max_model_len

        permission = []
        for permission_item_data in self.permission:
            permission_item = permission_item_data.to_dict()
            permission.append(permission_item)

        adapter_version = self.adapter_version

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "object": object_,
                "created": created,
                "owned_by": owned_by,
                "root": root,
                "parent": parent,
                "max_model_len": max_model_len,
                "permission": permission,
            }
        )
        if adapter_version is not UNSET:
            field_dict["adapter_version"] = adapter_version

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.model_permission_item import ModelPermissionItem

        d = dict(src_dict)
        id = d.pop("id")

        object_ = check_model_object(d.pop("object"))

        created = d.pop("created")

        owned_by = d.pop("owned_by")

        root = d.pop("root")

        def _parse_parent(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        parent = _parse_parent(d.pop("parent"))

        def _parse_max_model_len(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        max_model_len = _parse_max_model_len(d.pop("max_model_len"))

        permission = []
        _permission = d.pop("permission")
        for permission_item_data in _permission:
            permission_item = ModelPermissionItem.from_dict(permission_item_data)

            permission.append(permission_item)

        adapter_version = d.pop("adapter_version", UNSET)

        model = cls(
            id=id,
            object_=object_,
            created=created,
            owned_by=owned_by,
            root=root,
            parent=parent,
            max_model_len=max_model_len,
            permission=permission,
            adapter_version=adapter_version,
        )

        model.additional_properties = d
        return model

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
