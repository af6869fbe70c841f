from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.chat_format_result_format import (
    ChatFormatResultFormat,
    check_chat_format_result_format,
)

if TYPE_CHECKING:
    from ..models.chat_format_result_embedding_rows import ChatFormatResultEmbeddingRows
    from ..models.chat_format_result_special_tokens import ChatFormatResultSpecialTokens
    from ..models.chat_format_result_token_ids import ChatFormatResultTokenIds


T = TypeVar("T", bound="ChatFormatResult")


@_attrs_define
class ChatFormatResult:
    """
    Attributes:
        format_ (ChatFormatResultFormat):
        output (str): Absolute path of the new directory.
        special_tokens (ChatFormatResultSpecialTokens):
        token_ids (ChatFormatResultTokenIds):
        tokens (int): Tokens of the tokenizer, added ones included.
        embedding_rows (ChatFormatResultEmbeddingRows):
        chat_template (str):
        files (list[str]): Names of the files in the new directory.
    """

    format_: ChatFormatResultFormat
    output: str
    special_tokens: ChatFormatResultSpecialTokens
    token_ids: ChatFormatResultTokenIds
    tokens: int
    embedding_rows: ChatFormatResultEmbeddingRows
    chat_template: str
    files: list[str]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        format_: str = self.format_

        output = self.output

        special_tokens = self.special_tokens.to_dict()

        token_ids = self.token_ids.to_dict()

        tokens = self.tokens

        embedding_rows = self.embedding_rows.to_dict()

        chat_template = self.chat_template

        files = self.files

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "format": format_,
                "output": output,
                "special_tokens": special_tokens,
                "token_ids": token_ids,
                "tokens": tokens,
                "embedding_rows": embedding_rows,
                "chat_template": chat_template,
                "files": files,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.chat_format_result_embedding_rows import (
            ChatFormatResultEmbeddingRows,
        )
        from ..models.chat_format_result_special_tokens import (
            ChatFormatResultSpecialTokens,
        )
        from ..models.chat_format_result_token_ids import ChatFormatResultTokenIds

        d = dict(src_dict)
        format_ = check_chat_format_result_format(d.pop("format"))

        output = d.pop("output")

        special_tokens = ChatFormatResultSpecialTokens.from_dict(
            d.pop("special_tokens")
        )

        token_ids = ChatFormatResultTokenIds.from_dict(d.pop("token_ids"))

        tokens = d.pop("tokens")

        embedding_rows = ChatFormatResultEmbeddingRows.from_dict(
            d.pop("embedding_rows")
        )

        chat_template = d.pop("chat_template")

        files = cast(list[str], d.pop("files"))

        chat_format_result = cls(
            format_=format_,
            output=output,
            special_tokens=special_tokens,
            token_ids=token_ids,
            tokens=tokens,
            embedding_rows=embedding_rows,
            chat_template=chat_template,
            files=files,
        )

        chat_format_result.additional_properties = d
        return chat_format_result

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
