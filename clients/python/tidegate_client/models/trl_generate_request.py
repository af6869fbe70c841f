from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.trl_generate_request_generation_kwargs_type_0 import (
        TrlGenerateRequestGenerationKwargsType0,
    )


T = TypeVar("T", bound="TrlGenerateRequest")


@_attrs_define
class TrlGenerateRequest:
    """
    Example:
        {'prompts': ['What is 17 + 25?'], 'n': 2, 'temperature': 1, 'max_tokens': 16, 'logprobs': 0}

    Attributes:
        prompts (list[list[int]] | list[str]): Texts, or token ids (TRL 1.0 and later). An empty list gives an empty
            answer.
        n (int | Unset):  Default: 1.
        repetition_penalty (float | Unset):  Default: 1.0.
        temperature (float | Unset):  Default: 1.0.
        top_p (float | Unset):  Default: 1.0.
        top_k (int | Unset): 0 and -1 = off. Default: -1.
        min_p (float | Unset):  Default: 0.0.
        max_tokens (int | Unset):  Default: 16.
        logprobs (int | None | Unset): Candidates per token, up to --max-logprobs (default 200); 0 (default) = the
            sampled one only; null = none.
        truncate_prompt_tokens (int | None | Unset): TRL 0.24 to 0.29.
        guided_decoding_regex (None | str | Unset): The older name of `structured_outputs_regex`.
        structured_outputs_regex (None | str | Unset): Every text matches as a whole.
        generation_kwargs (None | TrlGenerateRequestGenerationKwargsType0 | Unset): Sampling fields in vLLM's names;
            they override the explicit ones.
    """

    prompts: list[list[int]] | list[str]
    n: int | Unset = 1
    repetition_penalty: float | Unset = 1.0
    temperature: float | Unset = 1.0
    top_p: float | Unset = 1.0
    top_k: int | Unset = -1
    min_p: float | Unset = 0.0
    max_tokens: int | Unset = 16
    logprobs: int | None | Unset = UNSET
    truncate_prompt_tokens: int | None | Unset = UNSET
    guided_decoding_regex: None | str | Unset = UNSET
    structured_outputs_regex: None | str | Unset = UNSET
    generation_kwargs: None | TrlGenerateRequestGenerationKwargsType0 | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.trl_generate_request_generation_kwargs_type_0 import (
            TrlGenerateRequestGenerationKwargsType0,
        )

        prompts: list[list[int]] | list[str]
        if isinstance(self.prompts, list):
            prompts = self.prompts

        else:
            prompts = []
            for prompts_type_1_item_data in self.prompts:
                prompts_type_1_item = prompts_type_1_item_data

                prompts.append(prompts_type_1_item)

        n = self.n

        repetition_penalty = self.repetition_penalty

        temperature = self.temperature

        top_p = self.top_p

        top_k = self.top_k

        min_p = self.min_p

        max_tokens = self.max_tokens

        logprobs: int | None | Unset
        if isinstance(self.logprobs, Unset):
            logprobs = UNSET
        else:
            logprobs = self.logprobs

        truncate_prompt_tokens: int | None | Unset
        if isinstance(self.truncate_prompt_tokens, Unset):
            truncate_prompt_tokens = UNSET
        else:
            truncate_prompt_tokens = self.truncate_prompt_tokens

        guided_decoding_regex: None | str | Unset
        if isinstance(self.guided_decoding_regex, Unset):
            guided_decoding_regex = UNSET
        else:
            guided_decoding_regex = self.guided_decoding_regex

        structured_outputs_regex: None | str | Unset
        if isinstance(self.structured_outputs_regex, Unset):
            structured_outputs_regex = UNSET
        else:
            structured_outputs_regex = self.structured_outputs_regex

        generation_kwargs: dict[str, Any] | None | Unset
        if isinstance(self.generation_kwargs, Unset):
            generation_kwargs = UNSET
        elif isinstance(
            self.generation_kwargs, TrlGenerateRequestGenerationKwargsType0
        ):
            generation_kwargs = self.generation_kwargs.to_dict()
        else:
            generation_kwargs = self.generation_kwargs

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "prompts": prompts,
            }
        )
        if n is not UNSET:
            field_dict["n"] = n
        if repetition_penalty is not UNSET:
            field_dict["repetition_penalty"] = repetition_penalty
        if temperature is not UNSET:
            field_dict["temperature"] = temperature
        if top_p is not UNSET:
            field_dict["top_p"] = top_p
        if top_k is not UNSET:
            field_dict["top_k"] = top_k
        if min_p is not UNSET:
            field_dict["min_p"] = min_p
        if max_tokens is not UNSET:
            field_dict["max_tokens"] = max_tokens
        if logprobs is not UNSET:
            field_dict["logprobs"] = logprobs
        if truncate_prompt_tokens is not UNSET:
            field_dict["truncate_prompt_tokens"] = truncate_prompt_tokens
        if guided_decoding_regex is not UNSET:
            field_dict["guided_decoding_regex"] = guided_decoding_regex
        if structured_outputs_regex is not UNSET:
            field_dict["structured_outputs_regex"] = structured_outputs_regex
        if generation_kwargs is not UNSET:
            field_dict["generation_kwargs"] = generation_kwargs

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.trl_generate_request_generation_kwargs_type_0 import (
            TrlGenerateRequestGenerationKwargsType0,
        )

        d = dict(src_dict)

        def _parse_prompts(data: object) -> list[list[int]] | list[str]:
            try:
                if not isinstance(data, list):
                    raise TypeError()
                prompts_type_0 = cast(list[str], data)

                return prompts_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, list):
                raise TypeError()
            prompts_type_1 = []
            _prompts_type_1 = data
            for prompts_type_1_item_data in _prompts_type_1:
                prompts_type_1_item = cast(list[int], prompts_type_1_item_data)

                prompts_type_1.append(prompts_type_1_item)

            return prompts_type_1

        prompts = _parse_prompts(d.pop("prompts"))

        n = d.pop("n", UNSET)

        repetition_penalty = d.pop("repetition_penalty", UNSET)

        temperature = d.pop("temperature", UNSET)

        top_p = d.pop("top_p", UNSET)

        top_k = d.pop("top_k", UNSET)

        min_p = d.pop("min_p", UNSET)

        max_tokens = d.pop("max_tokens", UNSET)

        def _parse_logprobs(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        logprobs = _parse_logprobs(d.pop("logprobs", UNSET))

        def _parse_truncate_prompt_tokens(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        truncate_prompt_tokens = _parse_truncate_prompt_tokens(
            d.pop("truncate_prompt_tokens", UNSET)
        )

        def _parse_guided_decoding_regex(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        guided_decoding_regex = _parse_guided_decoding_regex(
            d.pop("guided_decoding_regex", UNSET)
        )

        def _parse_structured_outputs_regex(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        structured_outputs_regex = _parse_structured_outputs_regex(
            d.pop("structured_outputs_regex", UNSET)
        )

        def _parse_generation_kwargs(
            data: object,
        ) -> None | TrlGenerateRequestGenerationKwargsType0 | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                generation_kwargs_type_0 = (
                    TrlGenerateRequestGenerationKwargsType0.from_dict(data)
                )

                return generation_kwargs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | TrlGenerateRequestGenerationKwargsType0 | Unset, data)

        generation_kwargs = _parse_generation_kwargs(d.pop("generation_kwargs", UNSET))

        trl_generate_request = cls(
            prompts=prompts,
            n=n,
            repetition_penalty=repetition_penalty,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            max_tokens=max_tokens,
            logprobs=logprobs,
            truncate_prompt_tokens=truncate_prompt_tokens,
            guided_decoding_regex=guided_decoding_regex,
            structured_outputs_regex=structured_outputs_regex,
            generation_kwargs=generation_kwargs,
        )

        trl_generate_request.additional_properties = d
        return trl_generate_request

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
