from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.trl_sequence_logprobs_request_response_format import (
    TrlSequenceLogprobsRequestResponseFormat,
    check_trl_sequence_logprobs_request_response_format,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="TrlSequenceLogprobsRequest")


@_attrs_define
class TrlSequenceLogprobsRequest:
    """
    Example:
        {'sequences': [[285, 499, 40, 41]], 'prompt_lengths': [2], 'top_logprobs': 3, 'response_format': 'json'}

    Attributes:
        sequences (list[list[int]]): Prompt and completion, token ids.
        prompt_lengths (list[int]):
        top_logprobs (int | Unset): Candidates per token, up to --max-logprobs (default 200). Default: 100.
        temperature (float | Unset):  Default: 1.0.
        response_format (TrlSequenceLogprobsRequestResponseFormat | Unset):  Default: 'json'.
    """

    sequences: list[list[int]]
    prompt_lengths: list[int]
    top_logprobs: int | Unset = 100
    temperature: float | Unset = 1.0
    response_format: TrlSequenceLogprobsRequestResponseFormat | Unset = "json"
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        sequences = []
        for sequences_item_data in self.sequences:
            sequences_item = sequences_item_data

            sequences.append(sequences_item)

        prompt_lengths = self.prompt_lengths

        top_logprobs = self.top_logprobs

        temperature = self.temperature

        response_format: str | Unset = UNSET
        if not isinstance(self.response_format, Unset):
            response_format = self.response_format

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "sequences": sequences,
                "prompt_lengths": prompt_lengths,
            }
        )
        if top_logprobs is not UNSET:
            field_dict["top_logprobs"] = top_logprobs
        if temperature is not UNSET:
            field_dict["temperature"] = temperature
        if response_format is not UNSET:
            field_dict["response_format"] = response_format

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        sequences = []
        _sequences = d.pop("sequences")
        for sequences_item_data in _sequences:
            sequences_item = cast(list[int], sequences_item_data)

            sequences.append(sequences_item)

        prompt_lengths = cast(list[int], d.pop("prompt_lengths"))

        top_logprobs = d.pop("top_logprobs", UNSET)

        temperature = d.pop("temperature", UNSET)

        _response_format = d.pop("response_format", UNSET)
        response_format: TrlSequenceLogprobsRequestResponseFormat | Unset
        if isinstance(_response_format, Unset):
            response_format = UNSET
        else:
            response_format = check_trl_sequence_logprobs_request_response_format(
                _response_format
            )

        trl_sequence_logprobs_request = cls(
            sequences=sequences,
            prompt_lengths=prompt_lengths,
            top_logprobs=top_logprobs,
            temperature=temperature,
            response_format=response_format,
        )

        trl_sequence_logprobs_request.additional_properties = d
        return trl_sequence_logprobs_request

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
