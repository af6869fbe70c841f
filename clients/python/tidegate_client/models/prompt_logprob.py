from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="PromptLogprob")


@_attrs_define
class PromptLogprob:
    """
    Attributes:
        logprob (float):
        rank (int):
        decoded_token (None | str):
    """

    logprob: float
    rank: int
    decoded_token: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        logprob = self.logprob

        rank = self.rank

        decoded_token: None | str
        decoded_token = self.decoded_token

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "logprob": logprob,
                "rank": rank,
                "decoded_token": decoded_token,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        logprob = d.pop("logprob")

        rank = d.pop("rank")

        def _parse_decoded_token(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        decoded_token = _parse_decoded_token(d.pop("decoded_token"))

        prompt_logprob = cls(
            logprob=logprob,
            rank=rank,
            decoded_token=decoded_token,
        )

        prompt_logprob.additional_properties = d
        return prompt_logprob

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
