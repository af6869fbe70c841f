from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="TrlSequenceLogprobsResponse")


@_attrs_define
class TrlSequenceLogprobsResponse:
    """
    Example:
        {'logprobs': [[[-0.1, -2.5, -3.9], [-0.3, -1.9, -4.1]]], 'logprob_token_ids': [[[163, 40, 12], [41, 7, 9]]],
            'actual_logprobs': [[[-2.5], [-0.3]]], 'actual_token_ids': [[[40], [41]]], 'logprobs_b64': None,
            'token_ids_b64': None, 'actual_logprobs_b64': None, 'actual_token_ids_b64': None, 'shape': None,
            'completion_lengths': None}

    Attributes:
        logprobs (list[list[list[float | None]]] | None):
        logprob_token_ids (list[list[list[int]]] | None):
        logprobs_b64 (None | str): float32, little-endian, [B, L, K]; padding -inf.
        token_ids_b64 (None | str): int32, little-endian, [B, L, K]; padding 0.
        actual_logprobs_b64 (None | str): float32, [B, L, 1].
        actual_token_ids_b64 (None | str): int32, [B, L, 1].
        shape (list[int] | None): [B, L, K]
        completion_lengths (list[int] | None):
        actual_logprobs (list[list[list[float | None]]] | None | Unset): Of the very tokens that were sent; one entry
            per position.
        actual_token_ids (list[list[list[int]]] | None | Unset):
    """

    logprobs: list[list[list[float | None]]] | None
    logprob_token_ids: list[list[list[int]]] | None
    logprobs_b64: None | str
    token_ids_b64: None | str
    actual_logprobs_b64: None | str
    actual_token_ids_b64: None | str
    shape: list[int] | None
    completion_lengths: list[int] | None
    actual_logprobs: list[list[list[float | None]]] | None | Unset = UNSET
    actual_token_ids: list[list[list[int]]] | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        logprobs: list[list[list[float | None]]] | None
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

        logprobs_b64: None | str
        logprobs_b64 = self.logprobs_b64

        token_ids_b64: None | str
        token_ids_b64 = self.token_ids_b64

        actual_logprobs_b64: None | str
        actual_logprobs_b64 = self.actual_logprobs_b64

        actual_token_ids_b64: None | str
        actual_token_ids_b64 = self.actual_token_ids_b64

        shape: list[int] | None
        if isinstance(self.shape, list):
            shape = self.shape

        else:
            shape = self.shape

        completion_lengths: list[int] | None
        if isinstance(self.completion_lengths, list):
            completion_lengths = self.completion_lengths

        else:
            completion_lengths = self.completion_lengths

        actual_logprobs: list[list[list[float | None]]] | None | Unset
        if isinstance(self.actual_logprobs, Unset):
            actual_logprobs = UNSET
        elif isinstance(self.actual_logprobs, list):
            actual_logprobs = []
            for actual_logprobs_type_0_item_data in self.actual_logprobs:
                actual_logprobs_type_0_item = []
                for (
                    actual_logprobs_type_0_item_item_data
                ) in actual_logprobs_type_0_item_data:
                    actual_logprobs_type_0_item_item = []
                    for (
                        actual_logprobs_type_0_item_item_item_data
                    ) in actual_logprobs_type_0_item_item_data:
                        actual_logprobs_type_0_item_item_item: float | None
                        actual_logprobs_type_0_item_item_item = (
                            actual_logprobs_type_0_item_item_item_data
                        )
                        actual_logprobs_type_0_item_item.append(
                            actual_logprobs_type_0_item_item_item
                        )

                    actual_logprobs_type_0_item.append(actual_logprobs_type_0_item_item)

                actual_logprobs.append(actual_logprobs_type_0_item)

        else:
            actual_logprobs = self.actual_logprobs

        actual_token_ids: list[list[list[int]]] | None | Unset
        if isinstance(self.actual_token_ids, Unset):
            actual_token_ids = UNSET
        elif isinstance(self.actual_token_ids, list):
            actual_token_ids = []
            for actual_token_ids_type_0_item_data in self.actual_token_ids:
                actual_token_ids_type_0_item = []
                for (
                    actual_token_ids_type_0_item_item_data
                ) in actual_token_ids_type_0_item_data:
                    actual_token_ids_type_0_item_item = (
                        actual_token_ids_type_0_item_item_data
                    )

                    actual_token_ids_type_0_item.append(
                        actual_token_ids_type_0_item_item
                    )

                actual_token_ids.append(actual_token_ids_type_0_item)

        else:
            actual_token_ids = self.actual_token_ids

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "logprobs": logprobs,
                "logprob_token_ids": logprob_token_ids,
                "logprobs_b64": logprobs_b64,
                "token_ids_b64": token_ids_b64,
                "actual_logprobs_b64": actual_logprobs_b64,
                "actual_token_ids_b64": actual_token_ids_b64,
                "shape": shape,
                "completion_lengths": completion_lengths,
            }
        )
        if actual_logprobs is not UNSET:
            field_dict["actual_logprobs"] = actual_logprobs
        if actual_token_ids is not UNSET:
            field_dict["actual_token_ids"] = actual_token_ids

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_logprobs(data: object) -> list[list[list[float | None]]] | None:
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
            return cast(list[list[list[float | None]]] | None, data)

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

        def _parse_logprobs_b64(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        logprobs_b64 = _parse_logprobs_b64(d.pop("logprobs_b64"))

        def _parse_token_ids_b64(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        token_ids_b64 = _parse_token_ids_b64(d.pop("token_ids_b64"))

        def _parse_actual_logprobs_b64(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        actual_logprobs_b64 = _parse_actual_logprobs_b64(d.pop("actual_logprobs_b64"))

        def _parse_actual_token_ids_b64(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        actual_token_ids_b64 = _parse_actual_token_ids_b64(
            d.pop("actual_token_ids_b64")
        )

        def _parse_shape(data: object) -> list[int] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                shape_type_0 = cast(list[int], data)

                return shape_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None, data)

        shape = _parse_shape(d.pop("shape"))

        def _parse_completion_lengths(data: object) -> list[int] | None:
            if data is None:
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                completion_lengths_type_0 = cast(list[int], data)

                return completion_lengths_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None, data)

        completion_lengths = _parse_completion_lengths(d.pop("completion_lengths"))

        def _parse_actual_logprobs(
            data: object,
        ) -> list[list[list[float | None]]] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                actual_logprobs_type_0 = []
                _actual_logprobs_type_0 = data
                for actual_logprobs_type_0_item_data in _actual_logprobs_type_0:
                    actual_logprobs_type_0_item = []
                    _actual_logprobs_type_0_item = actual_logprobs_type_0_item_data
                    for (
                        actual_logprobs_type_0_item_item_data
                    ) in _actual_logprobs_type_0_item:
                        actual_logprobs_type_0_item_item = []
                        _actual_logprobs_type_0_item_item = (
                            actual_logprobs_type_0_item_item_data
                        )
                        for (
                            actual_logprobs_type_0_item_item_item_data
                        ) in _actual_logprobs_type_0_item_item:

                            def _parse_actual_logprobs_type_0_item_item_item(
                                data: object,
                            ) -> float | None:
                                if data is None:
                                    return data
                                return cast(float | None, data)

                            actual_logprobs_type_0_item_item_item = (
                                _parse_actual_logprobs_type_0_item_item_item(
                                    actual_logprobs_type_0_item_item_item_data
                                )
                            )

                            actual_logprobs_type_0_item_item.append(
                                actual_logprobs_type_0_item_item_item
                            )

                        actual_logprobs_type_0_item.append(
                            actual_logprobs_type_0_item_item
                        )

                    actual_logprobs_type_0.append(actual_logprobs_type_0_item)

                return actual_logprobs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[list[list[float | None]]] | None | Unset, data)

        actual_logprobs = _parse_actual_logprobs(d.pop("actual_logprobs", UNSET))

        def _parse_actual_token_ids(
            data: object,
        ) -> list[list[list[int]]] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                actual_token_ids_type_0 = []
                _actual_token_ids_type_0 = data
                for actual_token_ids_type_0_item_data in _actual_token_ids_type_0:
                    actual_token_ids_type_0_item = []
                    _actual_token_ids_type_0_item = actual_token_ids_type_0_item_data
                    for (
                        actual_token_ids_type_0_item_item_data
                    ) in _actual_token_ids_type_0_item:
                        actual_token_ids_type_0_item_item = cast(
                            list[int], actual_token_ids_type_0_item_item_data
                        )

                        actual_token_ids_type_0_item.append(
                            actual_token_ids_type_0_item_item
                        )

                    actual_token_ids_type_0.append(actual_token_ids_type_0_item)

                return actual_token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[list[list[int]]] | None | Unset, data)

        actual_token_ids = _parse_actual_token_ids(d.pop("actual_token_ids", UNSET))

        trl_sequence_logprobs_response = cls(
            logprobs=logprobs,
            logprob_token_ids=logprob_token_ids,
            logprobs_b64=logprobs_b64,
            token_ids_b64=token_ids_b64,
            actual_logprobs_b64=actual_logprobs_b64,
            actual_token_ids_b64=actual_token_ids_b64,
            shape=shape,
            completion_lengths=completion_lengths,
            actual_logprobs=actual_logprobs,
            actual_token_ids=actual_token_ids,
        )

        trl_sequence_logprobs_response.additional_properties = d
        return trl_sequence_logprobs_response

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
