from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="TokenizeText")


@_attrs_define
class TokenizeText:
    """
    Attributes:
        prompt (str):
        model (None | str | Unset):
        add_special_tokens (bool | None | Unset):
        return_token_strs (bool | None | Unset):
    """

    prompt: str
    model: None | str | Unset = UNSET
    add_special_tokens: bool | None | Unset = UNSET
    return_token_strs: bool | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        prompt = self.prompt

        model: None | str | Unset
        if isinstance(self.model, Unset):
            model = UNSET
        else:
            model = self.model

        add_special_tokens: bool | None | Unset
        if isinstance(self.add_special_tokens, Unset):
            add_special_tokens = UNSET
        else:
            add_special_tokens = self.add_special_tokens

        return_token_strs: bool | None | Unset
        if isinstance(self.return_token_strs, Unset):
            return_token_strs = UNSET
        else:
            return_token_strs = self.return_token_strs

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "prompt": prompt,
            }
        )
        if model is not UNSET:
            field_dict["model"] = model
        if add_special_tokens is not UNSET:
            field_dict["add_special_tokens"] = add_special_tokens
        if return_token_strs is not UNSET:
            field_dict["return_token_strs"] = return_token_strs

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        prompt = d.pop("prompt")

        def _parse_model(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        model = _parse_model(d.pop("model", UNSET))

        def _parse_add_special_tokens(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        add_special_tokens = _parse_add_special_tokens(
            d.pop("add_special_tokens", UNSET)
        )

        def _parse_return_token_strs(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        return_token_strs = _parse_return_token_strs(d.pop("return_token_strs", UNSET))

        tokenize_text = cls(
            prompt=prompt,
            model=model,
            add_special_tokens=add_special_tokens,
            return_token_strs=return_token_strs,
        )

        tokenize_text.additional_properties = d
        return tokenize_text

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
