from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.chat_tool_call import ChatToolCall


T = TypeVar("T", bound="ChatMessageOut")


@_attrs_define
class ChatMessageOut:
    """
    Attributes:
        role (str):
        content (None | str):
        refusal (None):
        annotations (None):
        audio (None):
        function_call (None):
        reasoning (None):
        tool_calls (list[ChatToolCall] | Unset):
    """

    role: str
    content: None | str
    refusal: None
    annotations: None
    audio: None
    function_call: None
    reasoning: None
    tool_calls: list[ChatToolCall] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        role = self.role

        content: None | str
        content = self.content

        refusal = self.refusal

        annotations = self.annotations

        audio = self.audio

        function_call = self.function_call

        reasoning = self.reasoning

        tool_calls: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.tool_calls, Unset):
            tool_calls = []
            for tool_calls_item_data in self.tool_calls:
                tool_calls_item = tool_calls_item_data.to_dict()
                tool_calls.append(tool_calls_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "role": role,
                "content": content,
                "refusal": refusal,
                "annotations": annotations,
                "audio": audio,
                "function_call": function_call,
                "reasoning": reasoning,
            }
        )
        if tool_calls is not UNSET:
            field_dict["tool_calls"] = tool_calls

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.chat_tool_call import ChatToolCall

        d = dict(src_dict)
        role = d.pop("role")

        def _parse_content(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        content = _parse_content(d.pop("content"))

        refusal = d.pop("refusal")

        annotations = d.pop("annotations")

        audio = d.pop("audio")

        function_call = d.pop("function_call")

        reasoning = d.pop("reasoning")

        _tool_calls = d.pop("tool_calls", UNSET)
        tool_calls: list[ChatToolCall] | Unset = UNSET
        if _tool_calls is not UNSET:
            tool_calls = []
            for tool_calls_item_data in _tool_calls:
                tool_calls_item = ChatToolCall.from_dict(tool_calls_item_data)

                tool_calls.append(tool_calls_item)

        chat_message_out = cls(
            role=role,
            content=content,
            refusal=refusal,
            annotations=annotations,
            audio=audio,
            function_call=function_call,
            reasoning=reasoning,
            tool_calls=tool_calls,
        )

        chat_message_out.additional_properties = d
        return chat_message_out

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
