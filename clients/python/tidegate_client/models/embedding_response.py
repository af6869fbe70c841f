from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.embedding_response_object import (
    EmbeddingResponseObject,
    check_embedding_response_object,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.embedding import Embedding
    from ..models.usage import Usage


T = TypeVar("T", bound="EmbeddingResponse")


@_attrs_define
class EmbeddingResponse:
    """
    Example:
        {'id': 'embd-6f1c', 'object': 'list', 'created': 1795401568, 'model': 'tide-nano', 'data': [{'index': 0,
            'object': 'embedding', 'embedding': [0.6, -0.8]}], 'usage': {'prompt_tokens': 9, 'total_tokens': 9,
            'completion_tokens': 0, 'prompt_tokens_details': None, 'completion_tokens_details': None}, 'weight_version': 1,
            'weight_digest': 'sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'}

    Attributes:
        id (str):
        object_ (EmbeddingResponseObject):
        created (int):
        model (str):
        data (list[Embedding]):
        usage (Usage):
        weight_version (int | str | Unset): Weights that made the answer; `7-8` when they changed meanwhile. Embedded
            replicas only.
        weight_digest (None | str | Unset):
    """

    id: str
    object_: EmbeddingResponseObject
    created: int
    model: str
    data: list[Embedding]
    usage: Usage
    weight_version: int | str | Unset = UNSET
    weight_digest: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        object_: str = self.object_

        created = self.created

        model = self.model

        data = []
        for data_item_data in self.data:
            data_item = data_item_data.to_dict()
            data.append(data_item)

        usage = self.usage.to_dict()

        weight_version: int | str | Unset
        if isinstance(self.weight_version, Unset):
            weight_version = UNSET
        else:
            weight_version = self.weight_version

        weight_digest: None | str | Unset
        if isinstance(self.weight_digest, Unset):
            weight_digest = UNSET
        else:
            weight_digest = self.weight_digest

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "object": object_,
                "created": created,
                "model": model,
                "data": data,
                "usage": usage,
            }
        )
        if weight_version is not UNSET:
            field_dict["weight_version"] = weight_version
        if weight_digest is not UNSET:
            field_dict["weight_digest"] = weight_digest

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.embedding import Embedding
        from ..models.usage import Usage

        d = dict(src_dict)
        id = d.pop("id")

        object_ = check_embedding_response_object(d.pop("object"))

        created = d.pop("created")

        model = d.pop("model")

        data = []
        _data = d.pop("data")
        for data_item_data in _data:
            data_item = Embedding.from_dict(data_item_data)

            data.append(data_item)

        usage = Usage.from_dict(d.pop("usage"))

        def _parse_weight_version(data: object) -> int | str | Unset:
            if isinstance(data, Unset):
                return data
            return cast(int | str | Unset, data)

        weight_version = _parse_weight_version(d.pop("weight_version", UNSET))

        def _parse_weight_digest(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        weight_digest = _parse_weight_digest(d.pop("weight_digest", UNSET))

        embedding_response = cls(
            id=id,
            object_=object_,
            created=created,
            model=model,
            data=data,
            usage=usage,
            weight_version=weight_version,
            weight_digest=weight_digest,
        )

        embedding_response.additional_properties = d
        return embedding_response

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
