from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.embedding_request_embed_dtype import (
    EmbeddingRequestEmbedDtype,
    check_embedding_request_embed_dtype,
)
from ..models.embedding_request_encoding_format_type_1 import (
    EmbeddingRequestEncodingFormatType1,
    check_embedding_request_encoding_format_type_1,
)
from ..models.embedding_request_encoding_format_type_2_type_1 import (
    EmbeddingRequestEncodingFormatType2Type1,
    check_embedding_request_encoding_format_type_2_type_1,
)
from ..models.embedding_request_encoding_format_type_3_type_1 import (
    EmbeddingRequestEncodingFormatType3Type1,
    check_embedding_request_encoding_format_type_3_type_1,
)
from ..models.embedding_request_endianness_type_1 import (
    EmbeddingRequestEndiannessType1,
    check_embedding_request_endianness_type_1,
)
from ..models.embedding_request_endianness_type_2_type_1 import (
    EmbeddingRequestEndiannessType2Type1,
    check_embedding_request_endianness_type_2_type_1,
)
from ..models.embedding_request_endianness_type_3_type_1 import (
    EmbeddingRequestEndiannessType3Type1,
    check_embedding_request_endianness_type_3_type_1,
)
from ..models.embedding_request_pooling_type_type_1 import (
    EmbeddingRequestPoolingTypeType1,
    check_embedding_request_pooling_type_type_1,
)
from ..models.embedding_request_pooling_type_type_2_type_1 import (
    EmbeddingRequestPoolingTypeType2Type1,
    check_embedding_request_pooling_type_type_2_type_1,
)
from ..models.embedding_request_pooling_type_type_3_type_1 import (
    EmbeddingRequestPoolingTypeType3Type1,
    check_embedding_request_pooling_type_type_3_type_1,
)
from ..models.embedding_request_truncation_side_type_1 import (
    EmbeddingRequestTruncationSideType1,
    check_embedding_request_truncation_side_type_1,
)
from ..models.embedding_request_truncation_side_type_2_type_1 import (
    EmbeddingRequestTruncationSideType2Type1,
    check_embedding_request_truncation_side_type_2_type_1,
)
from ..models.embedding_request_truncation_side_type_3_type_1 import (
    EmbeddingRequestTruncationSideType3Type1,
    check_embedding_request_truncation_side_type_3_type_1,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.chat_request_message import ChatRequestMessage
    from ..models.embedding_request_chat_template_kwargs_type_0 import (
        EmbeddingRequestChatTemplateKwargsType0,
    )


T = TypeVar("T", bound="EmbeddingRequest")


@_attrs_define
class EmbeddingRequest:
    """
    Example:
        {'model': 'tide-nano', 'input': ['What is 17 + 25?', 'Fill 8 with |.']}

    Attributes:
        input_ (list[int] | list[list[int]] | list[str] | str | Unset): A text, texts, token ids, or a list of token id
            lists. Required unless `messages` is given.
        model (None | str | Unset): Served model name; without it any model. Example: tide-nano.
        messages (list[ChatRequestMessage] | None | Unset): A conversation in place of `input`, written by the chat
            template.
        encoding_format (EmbeddingRequestEncodingFormatType1 | EmbeddingRequestEncodingFormatType2Type1 |
            EmbeddingRequestEncodingFormatType3Type1 | None | Unset): Numbers (default), or base64 of float32.
        embed_dtype (EmbeddingRequestEmbedDtype | Unset):
        endianness (EmbeddingRequestEndiannessType1 | EmbeddingRequestEndiannessType2Type1 |
            EmbeddingRequestEndiannessType3Type1 | None | Unset): Of base64; default little.
        dimensions (int | None | Unset): Shorter vectors, for models whose config.json says `is_matryoshka`.
        use_activation (bool | None | Unset): Scale to length 1; default: --pooler-config, else true.
        pooling_type (EmbeddingRequestPoolingTypeType1 | EmbeddingRequestPoolingTypeType2Type1 |
            EmbeddingRequestPoolingTypeType3Type1 | None | Unset): Which hidden states; default: --pooler-config, else LAST.
            Embedded replicas only.
        add_special_tokens (bool | None | Unset): Default true; of `messages` false.
        add_generation_prompt (bool | None | Unset): Of `messages`; default false.
        continue_final_message (bool | None | Unset):
        chat_template (None | str | Unset): A Jinja template, or a name in the model's set; needs --trust-request-chat-
            template.
        chat_template_kwargs (EmbeddingRequestChatTemplateKwargsType0 | None | Unset): Further variables of the chat
            template.
        truncate_prompt_tokens (int | None | Unset): Keep so many prompt tokens; -1 = as many as the context takes.
        truncation_side (EmbeddingRequestTruncationSideType1 | EmbeddingRequestTruncationSideType2Type1 |
            EmbeddingRequestTruncationSideType3Type1 | None | Unset): The side that is cut off; default left, of embeddings
            right.
        request_id (None | str | Unset):
        cache_salt (None | str | Unset): Cached prefixes are shared with requests of the same salt only.
        user (None | str | Unset):
    """

    input_: list[int] | list[list[int]] | list[str] | str | Unset = UNSET
    model: None | str | Unset = UNSET
    messages: list[ChatRequestMessage] | None | Unset = UNSET
    encoding_format: (
        EmbeddingRequestEncodingFormatType1
        | EmbeddingRequestEncodingFormatType2Type1
        | EmbeddingRequestEncodingFormatType3Type1
        | None
        | Unset
    ) = UNSET
    embed_dtype: EmbeddingRequestEmbedDtype | Unset = UNSET
    endianness: (
        EmbeddingRequestEndiannessType1
        | EmbeddingRequestEndiannessType2Type1
        | EmbeddingRequestEndiannessType3Type1
        | None
        | Unset
    ) = UNSET
    dimensions: int | None | Unset = UNSET
    use_activation: bool | None | Unset = UNSET
    pooling_type: (
        EmbeddingRequestPoolingTypeType1
        | EmbeddingRequestPoolingTypeType2Type1
        | EmbeddingRequestPoolingTypeType3Type1
        | None
        | Unset
    ) = UNSET
    add_special_tokens: bool | None | Unset = UNSET
    add_generation_prompt: bool | None | Unset = UNSET
    continue_final_message: bool | None | Unset = UNSET
    chat_template: None | str | Unset = UNSET
    chat_template_kwargs: EmbeddingRequestChatTemplateKwargsType0 | None | Unset = UNSET
    truncate_prompt_tokens: int | None | Unset = UNSET
    truncation_side: (
        EmbeddingRequestTruncationSideType1
        | EmbeddingRequestTruncationSideType2Type1
        | EmbeddingRequestTruncationSideType3Type1
        | None
        | Unset
    ) = UNSET
    request_id: None | str | Unset = UNSET
    cache_salt: None | str | Unset = UNSET
    user: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.embedding_request_chat_template_kwargs_type_0 import (
            EmbeddingRequestChatTemplateKwargsType0,
        )

        input_: list[int] | list[list[int]] | list[str] | str | Unset
        if isinstance(self.input_, Unset):
            input_ = UNSET
        elif isinstance(self.input_, list) or isinstance(self.input_, list):
            input_ = self.input_

        elif isinstance(self.input_, list):
            input_ = []
            for input_type_3_item_data in self.input_:
                input_type_3_item = input_type_3_item_data

                input_.append(input_type_3_item)

        else:
            input_ = self.input_

        model: None | str | Unset
        if isinstance(self.model, Unset):
            model = UNSET
        else:
            model = self.model

        messages: list[dict[str, Any]] | None | Unset
        if isinstance(self.messages, Unset):
            messages = UNSET
        elif isinstance(self.messages, list):
            messages = []
            for messages_type_0_item_data in self.messages:
                messages_type_0_item = messages_type_0_item_data.to_dict()
                messages.append(messages_type_0_item)

        else:
            messages = self.messages

        encoding_format: None | str | Unset
        if isinstance(self.encoding_format, Unset):
            encoding_format = UNSET
        elif (
            isinstance(self.encoding_format, str)
            or isinstance(self.encoding_format, str)
            or isinstance(self.encoding_format, str)
        ):
            encoding_format = self.encoding_format
        else:
            encoding_format = self.encoding_format

        embed_dtype: str | Unset = UNSET
        if not isinstance(self.embed_dtype, Unset):
            embed_dtype = self.embed_dtype

        endianness: None | str | Unset
        if isinstance(self.endianness, Unset):
            endianness = UNSET
        elif (
            isinstance(self.endianness, str)
            or isinstance(self.endianness, str)
            or isinstance(self.endianness, str)
        ):
            endianness = self.endianness
        else:
            endianness = self.endianness

        dimensions: int | None | Unset
        if isinstance(self.dimensions, Unset):
            dimensions = UNSET
        else:
            dimensions = self.dimensions

        use_activation: bool | None | Unset
        if isinstance(self.use_activation, Unset):
            use_activation = UNSET
        else:
            use_activation = self.use_activation

        pooling_type: None | str | Unset
        if isinstance(self.pooling_type, Unset):
            pooling_type = UNSET
        elif (
            isinstance(self.pooling_type, str)
            or isinstance(self.pooling_type, str)
            or isinstance(self.pooling_type, str)
        ):
            pooling_type = self.pooling_type
        else:
            pooling_type = self.pooling_type

        add_special_tokens: bool | None | Unset
        if isinstance(self.add_special_tokens, Unset):
            add_special_tokens = UNSET
        else:
            add_special_tokens = self.add_special_tokens

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
        elif isinstance(
            self.chat_template_kwargs, EmbeddingRequestChatTemplateKwargsType0
        ):
            chat_template_kwargs = self.chat_template_kwargs.to_dict()
        else:
            chat_template_kwargs = self.chat_template_kwargs

        truncate_prompt_tokens: int | None | Unset
        if isinstance(self.truncate_prompt_tokens, Unset):
            truncate_prompt_tokens = UNSET
        else:
            truncate_prompt_tokens = self.truncate_prompt_tokens

        truncation_side: None | str | Unset
        if isinstance(self.truncation_side, Unset):
            truncation_side = UNSET
        elif (
            isinstance(self.truncation_side, str)
            or isinstance(self.truncation_side, str)
            or isinstance(self.truncation_side, str)
        ):
            truncation_side = self.truncation_side
        else:
            truncation_side = self.truncation_side

        request_id: None | str | Unset
        if isinstance(self.request_id, Unset):
            request_id = UNSET
        else:
            request_id = self.request_id

        cache_salt: None | str | Unset
        if isinstance(self.cache_salt, Unset):
            cache_salt = UNSET
        else:
            cache_salt = self.cache_salt

        user: None | str | Unset
        if isinstance(self.user, Unset):
            user = UNSET
        else:
            user = self.user

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if input_ is not UNSET:
            field_dict["input"] = input_
        if model is not UNSET:
            field_dict["model"] = model
        if messages is not UNSET:
            field_dict["messages"] = messages
        if encoding_format is not UNSET:
            field_dict["encoding_format"] = encoding_format
        if embed_dtype is not UNSET:
            field_dict["embed_dtype"] = embed_dtype
        if endianness is not UNSET:
            field_dict["endianness"] = endianness
        if dimensions is not UNSET:
            field_dict["dimensions"] = dimensions
        if use_activation is not UNSET:
            field_dict["use_activation"] = use_activation
        if pooling_type is not UNSET:
            field_dict["pooling_type"] = pooling_type
        if add_special_tokens is not UNSET:
            field_dict["add_special_tokens"] = add_special_tokens
        if add_generation_prompt is not UNSET:
            field_dict["add_generation_prompt"] = add_generation_prompt
        if continue_final_message is not UNSET:
            field_dict["continue_final_message"] = continue_final_message
        if chat_template is not UNSET:
            field_dict["chat_template"] = chat_template
        if chat_template_kwargs is not UNSET:
            field_dict["chat_template_kwargs"] = chat_template_kwargs
        if truncate_prompt_tokens is not UNSET:
            field_dict["truncate_prompt_tokens"] = truncate_prompt_tokens
        if truncation_side is not UNSET:
            field_dict["truncation_side"] = truncation_side
        if request_id is not UNSET:
            field_dict["request_id"] = request_id
        if cache_salt is not UNSET:
            field_dict["cache_salt"] = cache_salt
        if user is not UNSET:
            field_dict["user"] = user

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.chat_request_message import ChatRequestMessage
        from ..models.embedding_request_chat_template_kwargs_type_0 import (
            EmbeddingRequestChatTemplateKwargsType0,
        )

        d = dict(src_dict)

        def _parse_input_(
            data: object,
        ) -> list[int] | list[list[int]] | list[str] | str | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                input_type_1 = cast(list[str], data)

                return input_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, list):
                    raise TypeError()
                input_type_2 = cast(list[int], data)

                return input_type_2
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, list):
                    raise TypeError()
                input_type_3 = []
                _input_type_3 = data
                for input_type_3_item_data in _input_type_3:
                    input_type_3_item = cast(list[int], input_type_3_item_data)

                    input_type_3.append(input_type_3_item)

                return input_type_3
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | list[list[int]] | list[str] | str | Unset, data)

        input_ = _parse_input_(d.pop("input", UNSET))

        def _parse_model(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        model = _parse_model(d.pop("model", UNSET))

        def _parse_messages(data: object) -> list[ChatRequestMessage] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                messages_type_0 = []
                _messages_type_0 = data
                for messages_type_0_item_data in _messages_type_0:
                    messages_type_0_item = ChatRequestMessage.from_dict(
                        messages_type_0_item_data
                    )

                    messages_type_0.append(messages_type_0_item)

                return messages_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[ChatRequestMessage] | None | Unset, data)

        messages = _parse_messages(d.pop("messages", UNSET))

        def _parse_encoding_format(
            data: object,
        ) -> (
            EmbeddingRequestEncodingFormatType1
            | EmbeddingRequestEncodingFormatType2Type1
            | EmbeddingRequestEncodingFormatType3Type1
            | None
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                encoding_format_type_1 = check_embedding_request_encoding_format_type_1(
                    data
                )

                return encoding_format_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                encoding_format_type_2_type_1 = (
                    check_embedding_request_encoding_format_type_2_type_1(data)
                )

                return encoding_format_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                encoding_format_type_3_type_1 = (
                    check_embedding_request_encoding_format_type_3_type_1(data)
                )

                return encoding_format_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                EmbeddingRequestEncodingFormatType1
                | EmbeddingRequestEncodingFormatType2Type1
                | EmbeddingRequestEncodingFormatType3Type1
                | None
                | Unset,
                data,
            )

        encoding_format = _parse_encoding_format(d.pop("encoding_format", UNSET))

        _embed_dtype = d.pop("embed_dtype", UNSET)
        embed_dtype: EmbeddingRequestEmbedDtype | Unset
        if isinstance(_embed_dtype, Unset):
            embed_dtype = UNSET
        else:
            embed_dtype = check_embedding_request_embed_dtype(_embed_dtype)

        def _parse_endianness(
            data: object,
        ) -> (
            EmbeddingRequestEndiannessType1
            | EmbeddingRequestEndiannessType2Type1
            | EmbeddingRequestEndiannessType3Type1
            | None
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                endianness_type_1 = check_embedding_request_endianness_type_1(data)

                return endianness_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                endianness_type_2_type_1 = (
                    check_embedding_request_endianness_type_2_type_1(data)
                )

                return endianness_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                endianness_type_3_type_1 = (
                    check_embedding_request_endianness_type_3_type_1(data)
                )

                return endianness_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                EmbeddingRequestEndiannessType1
                | EmbeddingRequestEndiannessType2Type1
                | EmbeddingRequestEndiannessType3Type1
                | None
                | Unset,
                data,
            )

        endianness = _parse_endianness(d.pop("endianness", UNSET))

        def _parse_dimensions(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        dimensions = _parse_dimensions(d.pop("dimensions", UNSET))

        def _parse_use_activation(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        use_activation = _parse_use_activation(d.pop("use_activation", UNSET))

        def _parse_pooling_type(
            data: object,
        ) -> (
            EmbeddingRequestPoolingTypeType1
            | EmbeddingRequestPoolingTypeType2Type1
            | EmbeddingRequestPoolingTypeType3Type1
            | None
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                pooling_type_type_1 = check_embedding_request_pooling_type_type_1(data)

                return pooling_type_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                pooling_type_type_2_type_1 = (
                    check_embedding_request_pooling_type_type_2_type_1(data)
                )

                return pooling_type_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                pooling_type_type_3_type_1 = (
                    check_embedding_request_pooling_type_type_3_type_1(data)
                )

                return pooling_type_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                EmbeddingRequestPoolingTypeType1
                | EmbeddingRequestPoolingTypeType2Type1
                | EmbeddingRequestPoolingTypeType3Type1
                | None
                | Unset,
                data,
            )

        pooling_type = _parse_pooling_type(d.pop("pooling_type", UNSET))

        def _parse_add_special_tokens(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        add_special_tokens = _parse_add_special_tokens(
            d.pop("add_special_tokens", UNSET)
        )

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
        ) -> EmbeddingRequestChatTemplateKwargsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                chat_template_kwargs_type_0 = (
                    EmbeddingRequestChatTemplateKwargsType0.from_dict(data)
                )

                return chat_template_kwargs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(EmbeddingRequestChatTemplateKwargsType0 | None | Unset, data)

        chat_template_kwargs = _parse_chat_template_kwargs(
            d.pop("chat_template_kwargs", UNSET)
        )

        def _parse_truncate_prompt_tokens(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        truncate_prompt_tokens = _parse_truncate_prompt_tokens(
            d.pop("truncate_prompt_tokens", UNSET)
        )

        def _parse_truncation_side(
            data: object,
        ) -> (
            EmbeddingRequestTruncationSideType1
            | EmbeddingRequestTruncationSideType2Type1
            | EmbeddingRequestTruncationSideType3Type1
            | None
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                truncation_side_type_1 = check_embedding_request_truncation_side_type_1(
                    data
                )

                return truncation_side_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                truncation_side_type_2_type_1 = (
                    check_embedding_request_truncation_side_type_2_type_1(data)
                )

                return truncation_side_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                truncation_side_type_3_type_1 = (
                    check_embedding_request_truncation_side_type_3_type_1(data)
                )

                return truncation_side_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                EmbeddingRequestTruncationSideType1
                | EmbeddingRequestTruncationSideType2Type1
                | EmbeddingRequestTruncationSideType3Type1
                | None
                | Unset,
                data,
            )

        truncation_side = _parse_truncation_side(d.pop("truncation_side", UNSET))

        def _parse_request_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        request_id = _parse_request_id(d.pop("request_id", UNSET))

        def _parse_cache_salt(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        cache_salt = _parse_cache_salt(d.pop("cache_salt", UNSET))

        def _parse_user(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user = _parse_user(d.pop("user", UNSET))

        embedding_request = cls(
            input_=input_,
            model=model,
            messages=messages,
            encoding_format=encoding_format,
            embed_dtype=embed_dtype,
            endianness=endianness,
            dimensions=dimensions,
            use_activation=use_activation,
            pooling_type=pooling_type,
            add_special_tokens=add_special_tokens,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=continue_final_message,
            chat_template=chat_template,
            chat_template_kwargs=chat_template_kwargs,
            truncate_prompt_tokens=truncate_prompt_tokens,
            truncation_side=truncation_side,
            request_id=request_id,
            cache_salt=cache_salt,
            user=user,
        )

        embedding_request.additional_properties = d
        return embedding_request

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
