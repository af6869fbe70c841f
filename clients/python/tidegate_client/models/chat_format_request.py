from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..models.chat_format_request_format import (
    ChatFormatRequestFormat,
    check_chat_format_request_format,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="ChatFormatRequest")


@_attrs_define
class ChatFormatRequest:
    """
    Attributes:
        model (str): Hugging Face model directory on the gateway's machine. Only read. Example: /models/llama-base.
        output (str): The new directory; must not exist. It appears whole or not at all. Example: /models/llama-chatml.
        format_ (ChatFormatRequestFormat | Unset):  Default: 'chatml'.
        resize_to_multiple_of (int | None | Unset): Embedding rows are rounded up to a multiple of this. Default: as
            many rows as tokens.
        seed (int | Unset): Of the small noise in the new rows. The same seed gives the same rows. Default: 0.
    """

    model: str
    output: str
    format_: ChatFormatRequestFormat | Unset = "chatml"
    resize_to_multiple_of: int | None | Unset = UNSET
    seed: int | Unset = 0

    def to_dict(self) -> dict[str, Any]:
        model = self.model

        output = self.output

        format_: str | Unset = UNSET
        if not isinstance(self.format_, Unset):
            format_ = self.format_

        resize_to_multiple_of: int | None | Unset
        if isinstance(self.resize_to_multiple_of, Unset):
            resize_to_multiple_of = UNSET
        else:
            resize_to_multiple_of = self.resize_to_multiple_of

        seed = self.seed

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "model": model,
                "output": output,
            }
        )
        if format_ is not UNSET:
            field_dict["format"] = format_
        if resize_to_multiple_of is not UNSET:
            field_dict["resize_to_multiple_of"] = resize_to_multiple_of
        if seed is not UNSET:
            field_dict["seed"] = seed

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        model = d.pop("model")

        output = d.pop("output")

        _format_ = d.pop("format", UNSET)
        format_: ChatFormatRequestFormat | Unset
        if isinstance(_format_, Unset):
            format_ = UNSET
        else:
            format_ = check_chat_format_request_format(_format_)

        def _parse_resize_to_multiple_of(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        resize_to_multiple_of = _parse_resize_to_multiple_of(
            d.pop("resize_to_multiple_of", UNSET)
        )

        seed = d.pop("seed", UNSET)

        chat_format_request = cls(
            model=model,
            output=output,
            format_=format_,
            resize_to_multiple_of=resize_to_multiple_of,
            seed=seed,
        )

        return chat_format_request
