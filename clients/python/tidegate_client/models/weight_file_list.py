from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.weight_file_list_files_item import WeightFileListFilesItem


T = TypeVar("T", bound="WeightFileList")


@_attrs_define
class WeightFileList:
    """The files of a transfer, as `tensors/{index}` serves them.

    Attributes:
        id (str):
        digest (str): Of all tensors in these files. Example:
            sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.
        files (list[WeightFileListFilesItem]):
    """

    id: str
    digest: str
    files: list[WeightFileListFilesItem]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        digest = self.digest

        files = []
        for files_item_data in self.files:
            files_item = files_item_data.to_dict()
            files.append(files_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "digest": digest,
                "files": files,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.weight_file_list_files_item import WeightFileListFilesItem

        d = dict(src_dict)
        id = d.pop("id")

        digest = d.pop("digest")

        files = []
        _files = d.pop("files")
        for files_item_data in _files:
            files_item = WeightFileListFilesItem.from_dict(files_item_data)

            files.append(files_item)

        weight_file_list = cls(
            id=id,
            digest=digest,
            files=files,
        )

        weight_file_list.additional_properties = d
        return weight_file_list

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
