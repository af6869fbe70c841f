from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.chat_request_message import ChatRequestMessage
    from ..models.chat_tool import ChatTool
    from ..models.tokenize_chat_chat_template_kwargs_type_0 import (
        TokenizeChatChatTemplateKwargsType0,
    )


T = TypeVar("T", bound="TokenizeChat")


@_attrs_define
class TokenizeChat:
    """
    Attributes:
        messages (list[ChatRequestMessage]):
        model (None | str | Unset):
        add_special_tokens (bool | None | Unset):
        return_token_strs (bool | None | Unset):
        tools (list[ChatTool] | None | Unset):
        add_generation_prompt (bool | None | Unset):
        continue_final_message (bool | None | Unset):
        chat_template (None | str | Unset): A Jinja template, or a name in the model's set; needs --trust-request-chat-
            template.
        chat_template_kwargs (None | TokenizeChatChatTemplateKwargsType0 | Unset): Further variables of the chat
            template.
    """

    messages: list[ChatRequestMessage]
    model: None | str | Unset = UNSET
    add_special_tokens: bool | None | Unset = UNSET
    return_token_strs: bool | None | Unset = UNSET
    tools: list[ChatTool] | None | Unset = UNSET
    add_generation_prompt: bool | None | Unset = UNSET
    continue_final_message: bool | None | Unset = UNSET
    chat_template: None | str | Unset = UNSET
    chat_template_kwargs: None | TokenizeChatChatTemplateKwargsType0 | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.tokenize_chat_chat_template_kwargs_type_0 import (
            TokenizeChatChatTemplateKwargsType0,
        )

        messages = []
        for messages_item_data in self.messages:
            messages_item = messages_item_data.to_dict()
            messages.append(messages_item)

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

        tools: list[dict[str, Any]] | None | Unset
        if isinstance(self.tools, Unset):
            tools = UNSET
        elif isinstance(self.tools, list):
            tools = []
            for tools_type_0_item_data in self.tools:
                tools_type_0_item = tools_type_0_item_data.to_dict()
                tools.append(tools_type_0_item)

        else:
            tools = self.tools

        add_generation_prompt: bool | None | Unset
        if isinstance(self.add_generation_prompt, Unset):
            add_generation_prompt = UNSET
        else:
            add_generation_prompt = self.add_generation_prompt

        continue_final_message: bool | None | Unset
        if isinstance(self.continue_final_message, Unset):
            continue_final_message = UNSET
        else:
            continue_final_message = self.continue_final_message

        chat_template: None | str | Unset
        if isinstance(self.chat_template, Unset):
            chat_template = UNSET
        else:
            chat_template = self.chat_template

        chat_template_kwargs: dict[str, Any] | None | Unset
        if isinstance(self.chat_template_kwargs, Unset):
            chat_template_kwargs = UNSET
        elif isinstance(self.chat_template_kwargs, TokenizeChatChatTemplateKwargsType0):
            chat_template_kwargs = self.chat_template_kwargs.to_dict()
        else:
            chat_template_kwargs = self.chat_template_kwargs

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "messages": messages,
            }
        )
        if model is not UNSET:
            field_dict["model"] = model
        if add_special_tokens is not UNSET:
            field_dict["add_special_tokens"] = add_special_tokens
        if return_token_strs is not UNSET:
            field_dict["return_token_strs"] = return_token_strs
        if tools is not UNSET:
            field_dict["tools"] = tools
        if add_generation_prompt is not UNSET:
            field_dict["add_generation_prompt"] = add_generation_prompt
        if continue_final_message is not UNSET:
            field_dict["continue_final_message"] = continue_final_message
        if chat_template is not UNSET:
            field_dict["chat_template"] = chat_template
        if chat_template_kwargs is not UNSET:
            field_dict["chat_template_kwargs"] = chat_template_kwargs

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.chat_request_message import ChatRequestMessage
        from ..models.chat_tool import ChatTool
        from ..models.tokenize_chat_chat_template_kwargs_type_0 import (
            TokenizeChatChatTemplateKwargsType0,
        )

        d = dict(src_dict)
        messages = []
        _messages = d.pop("messages")
        for messages_item_data in _messages:
            messages_item = ChatRequestMessage.from_dict(messages_item_data)

            messages.append(messages_item)

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

        def _parse_tools(data: object) -> list[ChatTool] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                tools_type_0 = []
                _tools_type_0 = data
                for tools_type_0_item_data in _tools_type_0:
                    tools_type_0_item = ChatTool.from_dict(tools_type_0_item_data)

                    tools_type_0.append(tools_type_0_item)

                return tools_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[ChatTool] | None | Unset, data)

        tools = _parse_tools(d.pop("tools", UNSET))

        def _parse_add_generation_prompt(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        add_generation_prompt = _parse_add_generation_prompt(
            d.pop("add_generation_prompt", UNSET)
        )

        def _parse_continue_final_message(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        continue_final_message = _parse_continue_final_message(
            d.pop("continue_final_message", UNSET)
        )

        def _parse_chat_template(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        chat_template = _parse_chat_template(d.pop("chat_template", UNSET))

        def _parse_chat_template_kwargs(
            data: object,
        ) -> None | TokenizeChatChatTemplateKwargsType0 | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                chat_template_kwargs_type_0 = (
                    TokenizeChatChatTemplateKwargsType0.from_dict(data)
                )

                return chat_template_kwargs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | TokenizeChatChatTemplateKwargsType0 | Unset, data)

        chat_template_kwargs = _parse_chat_template_kwargs(
            d.pop("chat_template_kwargs", UNSET)
        )

        tokenize_chat = cls(
            messages=messages,
            model=model,
            add_special_tokens=add_special_tokens,
            return_token_strs=return_token_strs,
            tools=tools,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=continue_final_message,
            chat_template=chat_template,
            chat_template_kwargs=chat_template_kwargs,
        )

        tokenize_chat.additional_properties = d
        return tokenize_chat

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
