from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="TrlGenerateResponse")


@_attrs_define
class TrlGenerateResponse:
    """
    Example:
        {'prompt_ids': [[285, 499]], 'completion_ids': [[163, 493]], 'logprobs': [[[-0.12], [-1.11]]],
            'logprob_token_ids': [[[163], [493]]]}

    Attributes:
        prompt_ids (list[list[int]]): One list per prompt.
        completion_ids (list[list[int]]): Prompt-major: the n completions of a prompt in a row.
        logprobs (list[list[float | None]] | list[list[list[float | None]]] | None): Per completion and position the
            candidates by rank. Requests as TRL 0.23 to 0.28 sends them get one number per position.
        logprob_token_ids (list[list[list[int]]] | None):
    """

    prompt_ids: list[list[int]]
    completion_ids: list[list[int]]
    logprobs: list[list[float | None]] | list[list[list[float | None]]] | None
    logprob_token_ids: list[list[list[int]]] | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        prompt_ids = []
        for prompt_ids_item_data in self.prompt_ids:
            prompt_ids_item = prompt_ids_item_data

            prompt_ids.append(prompt_ids_item)

        completion_ids = []
        for completion_ids_item_data in self.completion_ids:
            completion_ids_item = completion_ids_item_data

            completion_ids.append(completion_ids_item)

        logprobs: list[list[float | None]] | list[list[list[float | None]]] | None
        if isinstance(self.logprobs, list):
            logprobs = []
            for logprobs_type_0_item_data in self.logprobs:
                logprobs_type_0_item = []
                for logprobs_type_0_item_item_data in logprobs_type_0_item_data:
                    logprobs_type_0_item_item = []
                    for (
                        logprobs_type_0_item_item_item_data
                    ) in logprobs_type_0_item_item_data:
                        logprobs_type_0_item_item_item: float | None
                        logprobs_type_0_item_item_item = (
                            logprobs_type_0_item_item_item_data
                        )
                        logprobs_type_0_item_item.append(logprobs_type_0_item_item_item)

                    logprobs_type_0_item.append(logprobs_type_0_item_item)

                logprobs.append(logprobs_type_0_item)

        elif isinstance(self.logprobs, list):
            logprobs = []
            for logprobs_type_1_item_data in self.logprobs:
                logprobs_type_1_item = []
                for logprobs_type_1_item_item_data in logprobs_type_1_item_data:
                    logprobs_type_1_item_item: float | None
                    logprobs_type_1_item_item = logprobs_type_1_item_item_data
                    logprobs_type_1_item.append(logprobs_type_1_item_item)

                logprobs.append(logprobs_type_1_item)

        else:
            logprobs = self.logprobs

        logprob_token_ids: list[list[list[int]]] | None
        if isinstance(self.logprob_token_ids, list):
            logprob_token_ids = []
            for logprob_token_ids_type_0_item_data in self.logprob_token_ids:
                logprob_token_ids_type_0_item = []
                for (
                    logprob_token_ids_type_0_item_item_data
                ) in logprob_token_ids_type_0_item_data:
                    logprob_token_ids_type_0_item_item = (
                        logprob_token_ids_type_0_item_item_data
                    )

                    logprob_token_ids_type_0_item.append(
                        logprob_token_ids_type_0_item_item
                    )

                logprob_token_ids.append(logprob_token_ids_type_0_item)

        else:
            logprob_token_ids = self.logprob_token_ids

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "prompt_ids": prompt_ids,
                "completion_ids": completion_ids,
                "logprobs": logprobs,
                "logprob_token_ids": logprob_token_ids,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        prompt_ids = []
        _prompt_ids = d.pop("prompt_ids")
        for prompt_ids_item_data in _prompt_ids:
            prompt_ids_item = cast(list[int], prompt_ids_item_data)

            prompt_ids.append(prompt_ids_item)

        completion_ids = []
        _completion_ids = d.pop("completion_ids")
        for completion_ids_item_data in _completion_ids:
            completion_ids_item = cast(list[int], completion_ids_item_data)

            completion_ids.append(completion_ids_item)

        def _parse_logprobs(
            data: object,
        ) -> list[list[float | None]] | list[list[list[float | None]]] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                logprobs_type_0 = []
                _logprobs_type_0 = data
                for logprobs_type_0_item_data in _logprobs_type_0:
                    logprobs_type_0_item = []
                    _logprobs_type_0_item = logprobs_type_0_item_data
                    for logprobs_type_0_item_item_data in _logprobs_type_0_item:
                        logprobs_type_0_item_item = []
                        _logprobs_type_0_item_item = logprobs_type_0_item_item_data
                        for (
                            logprobs_type_0_item_item_item_data
                        ) in _logprobs_type_0_item_item:

                            def _parse_logprobs_type_0_item_item_item(
                                data: object,
                            ) -> float | None:
                                if data is None:
                                    return data
                                return cast(float | None, data)

                            logprobs_type_0_item_item_item = (
                                _parse_logprobs_type_0_item_item_item(
                                    logprobs_type_0_item_item_item_data
                                )
                            )

                            logprobs_type_0_item_item.append(
                                logprobs_type_0_item_item_item
                            )

                        logprobs_type_0_item.append(logprobs_type_0_item_item)

                    logprobs_type_0.append(logprobs_type_0_item)

                return logprobs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, list):
                    raise TypeError()
                logprobs_type_1 = []
                _logprobs_type_1 = data
                for logprobs_type_1_item_data in _logprobs_type_1:
                    logprobs_type_1_item = []
                    _logprobs_type_1_item = logprobs_type_1_item_data
                    for logprobs_type_1_item_item_data in _logprobs_type_1_item:

                        def _parse_logprobs_type_1_item_item(
                            data: object,
                        ) -> float | None:
                            if data is None:
                                return data
                            return cast(float | None, data)

                        logprobs_type_1_item_item = _parse_logprobs_type_1_item_item(
                            logprobs_type_1_item_item_data
                        )

                        logprobs_type_1_item.append(logprobs_type_1_item_item)

                    logprobs_type_1.append(logprobs_type_1_item)

                return logprobs_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                list[list[float | None]] | list[list[list[float | None]]] | None, data
            )

        logprobs = _parse_logprobs(d.pop("logprobs"))

        def _parse_logprob_token_ids(data: object) -> list[list[list[int]]] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                logprob_token_ids_type_0 = []
                _logprob_token_ids_type_0 = data
                for logprob_token_ids_type_0_item_data in _logprob_token_ids_type_0:
                    logprob_token_ids_type_0_item = []
                    _logprob_token_ids_type_0_item = logprob_token_ids_type_0_item_data
                    for (
                        logprob_token_ids_type_0_item_item_data
                    ) in _logprob_token_ids_type_0_item:
                        logprob_token_ids_type_0_item_item = cast(
                            list[int], logprob_token_ids_type_0_item_item_data
                        )

                        logprob_token_ids_type_0_item.append(
                            logprob_token_ids_type_0_item_item
                        )

                    logprob_token_ids_type_0.append(logprob_token_ids_type_0_item)

                return logprob_token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[list[list[int]]] | None, data)

        logprob_token_ids = _parse_logprob_token_ids(d.pop("logprob_token_ids"))

        trl_generate_response = cls(
            prompt_ids=prompt_ids,
            completion_ids=completion_ids,
            logprobs=logprobs,
            logprob_token_ids=logprob_token_ids,
        )

        trl_generate_response.additional_properties = d
        return trl_generate_response

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
