from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.finish_reason import FinishReason, check_finish_reason

if TYPE_CHECKING:
    from ..models.completion_logprobs import CompletionLogprobs
    from ..models.prompt_logprobs_item_type_0 import PromptLogprobsItemType0


T = TypeVar("T", bound="CompletionChoice")


@_attrs_define
class CompletionChoice:
    """
    Attributes:
        index (int): prompt × n + sample
        text (str):
        logprobs (CompletionLogprobs | None):
        finish_reason (FinishReason | None):
        stop_reason (int | None | str):
        token_ids (list[int] | None):
        prompt_logprobs (list[None | PromptLogprobsItemType0] | None):
        prompt_token_ids (list[int] | None):
        routed_experts (None):
    """

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: FinishReason | None
    stop_reason: int | None | str
    token_ids: list[int] | None
    prompt_logprobs: list[None | PromptLogprobsItemType0] | None
    prompt_token_ids: list[int] | None
    routed_experts: None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.completion_logprobs import CompletionLogprobs
        from ..models.prompt_logprobs_item_type_0 import PromptLogprobsItemType0

        index = self.index

        text = self.text

        logprobs: dict[str, Any] | None
        if isinstance(self.logprobs, CompletionLogprobs):
            logprobs = self.logprobs.to_dict()
        else:
            logprobs = self.logprobs

        finish_reason: None | str
        if isinstance(self.finish_reason, str):
            finish_reason = self.finish_reason
        else:
            finish_reason = self.finish_reason

        stop_reason: int | None | str
        stop_reason = self.stop_reason

        token_ids: list[int] | None
        if isinstance(self.token_ids, list):
            token_ids = self.token_ids

        else:
            token_ids = self.token_ids

        prompt_logprobs: list[dict[str, Any] | None] | None
        if isinstance(self.prompt_logprobs, list):
            prompt_logprobs = []
            for componentsschemas_prompt_logprobs_item_data in self.prompt_logprobs:
                componentsschemas_prompt_logprobs_item: dict[str, Any] | None
                if isinstance(
                    componentsschemas_prompt_logprobs_item_data, PromptLogprobsItemType0
                ):
                    componentsschemas_prompt_logprobs_item = (
                        componentsschemas_prompt_logprobs_item_data.to_dict()
                    )
                else:
                    componentsschemas_prompt_logprobs_item = (
                        componentsschemas_prompt_logprobs_item_data
                    )
                prompt_logprobs.append(componentsschemas_prompt_logprobs_item)

        else:
            prompt_logprobs = self.prompt_logprobs

        prompt_token_ids: list[int] | None
        if isinstance(self.prompt_token_ids, list):
            prompt_token_ids = self.prompt_token_ids

        else:
            prompt_token_ids = self.prompt_token_ids

        routed_experts = self.routed_experts

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "index": index,
                "text": text,
                "logprobs": logprobs,
                "finish_reason": finish_reason,
                "stop_reason": stop_reason,
                "token_ids": token_ids,
                "prompt_logprobs": prompt_logprobs,
                "prompt_token_ids": prompt_token_ids,
                "routed_experts": routed_experts,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.completion_logprobs import CompletionLogprobs
        from ..models.prompt_logprobs_item_type_0 import PromptLogprobsItemType0

        d = dict(src_dict)
        index = d.pop("index")

        text = d.pop("text")

        def _parse_logprobs(data: object) -> CompletionLogprobs | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                logprobs_type_0 = CompletionLogprobs.from_dict(data)

                return logprobs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(CompletionLogprobs | None, data)

        logprobs = _parse_logprobs(d.pop("logprobs"))

        def _parse_finish_reason(data: object) -> FinishReason | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                finish_reason_type_0 = check_finish_reason(data)

                return finish_reason_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(FinishReason | None, data)

        finish_reason = _parse_finish_reason(d.pop("finish_reason"))

        def _parse_stop_reason(data: object) -> int | None | str:
            if data is None:
                return data
            return cast(int | None | str, data)

        stop_reason = _parse_stop_reason(d.pop("stop_reason"))

        def _parse_token_ids(data: object) -> list[int] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                token_ids_type_0 = cast(list[int], data)

                return token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None, data)

        token_ids = _parse_token_ids(d.pop("token_ids"))

        def _parse_prompt_logprobs(
            data: object,
        ) -> list[None | PromptLogprobsItemType0] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                prompt_logprobs_type_0 = []
                _prompt_logprobs_type_0 = data
                for (
                    componentsschemas_prompt_logprobs_item_data
                ) in _prompt_logprobs_type_0:

                    def _parse_componentsschemas_prompt_logprobs_item(
                        data: object,
                    ) -> None | PromptLogprobsItemType0:
                        if data is None:
                            return data
                        try:
                            if not isinstance(data, dict):
                                raise TypeError()
                            componentsschemas_prompt_logprobs_item_type_0 = (
                                PromptLogprobsItemType0.from_dict(data)
                            )

                            return componentsschemas_prompt_logprobs_item_type_0
                        except (TypeError, ValueError, AttributeError, KeyError):
                            pass
                        return cast(None | PromptLogprobsItemType0, data)

                    componentsschemas_prompt_logprobs_item = (
                        _parse_componentsschemas_prompt_logprobs_item(
                            componentsschemas_prompt_logprobs_item_data
                        )
                    )

                    prompt_logprobs_type_0.append(
                        componentsschemas_prompt_logprobs_item
                    )

                return prompt_logprobs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[None | PromptLogprobsItemType0] | None, data)

        prompt_logprobs = _parse_prompt_logprobs(d.pop("prompt_logprobs"))

        def _parse_prompt_token_ids(data: object) -> list[int] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                prompt_token_ids_type_0 = cast(list[int], data)

                return prompt_token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None, data)

        prompt_token_ids = _parse_prompt_token_ids(d.pop("prompt_token_ids"))

        routed_experts = d.pop("routed_experts")

        completion_choice = cls(
            index=index,
            text=text,
            logprobs=logprobs,
            finish_reason=finish_reason,
            stop_reason=stop_reason,
            token_ids=token_ids,
            prompt_logprobs=prompt_logprobs,
            prompt_token_ids=prompt_token_ids,
            routed_experts=routed_experts,
        )

        completion_choice.additional_properties = d
        return completion_choice

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
