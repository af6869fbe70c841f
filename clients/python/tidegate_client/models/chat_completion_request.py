from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.chat_completion_request_reasoning_effort_type_1 import (
    ChatCompletionRequestReasoningEffortType1,
    check_chat_completion_request_reasoning_effort_type_1,
)
from ..models.chat_completion_request_reasoning_effort_type_2_type_1 import (
    ChatCompletionRequestReasoningEffortType2Type1,
    check_chat_completion_request_reasoning_effort_type_2_type_1,
)
from ..models.chat_completion_request_reasoning_effort_type_3_type_1 import (
    ChatCompletionRequestReasoningEffortType3Type1,
    check_chat_completion_request_reasoning_effort_type_3_type_1,
)
from ..models.chat_completion_request_truncation_side_type_1 import (
    ChatCompletionRequestTruncationSideType1,
    check_chat_completion_request_truncation_side_type_1,
)
from ..models.chat_completion_request_truncation_side_type_2_type_1 import (
    ChatCompletionRequestTruncationSideType2Type1,
    check_chat_completion_request_truncation_side_type_2_type_1,
)
from ..models.chat_completion_request_truncation_side_type_3_type_1 import (
    ChatCompletionRequestTruncationSideType3Type1,
    check_chat_completion_request_truncation_side_type_3_type_1,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.chat_completion_request_chat_template_kwargs_type_0 import (
        ChatCompletionRequestChatTemplateKwargsType0,
    )
    from ..models.chat_completion_request_documents_type_0_item import (
        ChatCompletionRequestDocumentsType0Item,
    )
    from ..models.chat_completion_request_kv_transfer_params_type_0 import (
        ChatCompletionRequestKvTransferParamsType0,
    )
    from ..models.chat_completion_request_logit_bias_type_0 import (
        ChatCompletionRequestLogitBiasType0,
    )
    from ..models.chat_completion_request_mm_processor_kwargs_type_0 import (
        ChatCompletionRequestMmProcessorKwargsType0,
    )
    from ..models.chat_completion_request_repetition_detection_type_0 import (
        ChatCompletionRequestRepetitionDetectionType0,
    )
    from ..models.chat_completion_request_stream_options_type_0 import (
        ChatCompletionRequestStreamOptionsType0,
    )
    from ..models.chat_completion_request_tool_choice_type_1 import (
        ChatCompletionRequestToolChoiceType1,
    )
    from ..models.chat_completion_request_vllm_xargs_type_0 import (
        ChatCompletionRequestVllmXargsType0,
    )
    from ..models.chat_request_message import ChatRequestMessage
    from ..models.chat_tool import ChatTool
    from ..models.response_format import ResponseFormat
    from ..models.structured_outputs import StructuredOutputs


T = TypeVar("T", bound="ChatCompletionRequest")


@_attrs_define
class ChatCompletionRequest:
    """
    Example:
        {'model': 'tide-nano', 'messages': [{'role': 'user', 'content': 'What is 17 + 25?'}], 'max_tokens': 32,
            'temperature': 0}

    Attributes:
        messages (list[ChatRequestMessage]):
        model (None | str | Unset): Served model name; without it any model. Example: tide-nano.
        n (int | None | Unset): Samples per prompt; default 1.
        temperature (float | None | Unset): 0 = greedy. Default: the model's own, else 1.
        top_p (float | None | Unset):
        top_k (int | None | Unset): 0 or -1 = off.
        min_p (float | None | Unset):
        repetition_penalty (float | None | Unset):
        presence_penalty (float | None | Unset):
        frequency_penalty (float | None | Unset):
        seed (int | None | Unset):
        stop (list[str] | None | str | Unset): Strings that end a sample.
        stop_token_ids (list[int] | None | Unset):
        include_stop_str_in_output (bool | None | Unset):
        ignore_eos (bool | None | Unset):
        min_tokens (int | None | Unset):
        skip_special_tokens (bool | None | Unset): Default true.
        logit_bias (ChatCompletionRequestLogitBiasType0 | None | Unset): Token id → added to its logit, from -100 to 100
            (what is beyond counts as the bound).
        allowed_token_ids (list[int] | None | Unset):
        bad_words (list[str] | None | Unset):
        structured_outputs (None | StructuredOutputs | Unset):
        response_format (None | ResponseFormat | Unset):
        prompt_logprobs (int | None | Unset): Candidates per prompt token, up to --max-logprobs (default 200); -1 = all.
            Not with `stream`.
        return_token_ids (bool | None | Unset):
        return_tokens_as_token_ids (bool | None | Unset): Tokens in logprobs as `token_id:N`.
        stream (bool | None | Unset):
        stream_options (ChatCompletionRequestStreamOptionsType0 | None | Unset):
        cache_salt (None | str | Unset): Cached prefixes are shared with requests of the same salt only.
        request_id (None | str | Unset):
        priority (int | None | Unset): Taken and not used: the order is fair.
        use_beam_search (bool | None | Unset): Not supported.
        length_penalty (float | None | Unset): Of beam search; not used.
        spaces_between_special_tokens (bool | None | Unset): Only true.
        kv_transfer_params (ChatCompletionRequestKvTransferParamsType0 | None | Unset): Not supported.
        vllm_xargs (ChatCompletionRequestVllmXargsType0 | None | Unset): Not supported.
        repetition_detection (ChatCompletionRequestRepetitionDetectionType0 | None | Unset): Not supported.
        logprob_token_ids (list[int] | None | Unset): Not supported.
        user (None | str | Unset):
        max_tokens (int | None | Unset): Default: up to the context end.
        max_completion_tokens (int | None | Unset):
        logprobs (bool | None | Unset):
        top_logprobs (int | None | Unset): Candidates per token, up to --max-logprobs (default 20); -1 = all.
        tools (list[ChatTool] | None | Unset):
        tool_choice (ChatCompletionRequestToolChoiceType1 | None | str | Unset): none, auto, required or a function;
            default auto where there are tools.
        parallel_tool_calls (bool | None | Unset): false: one call at most. Default true.
        add_generation_prompt (bool | None | Unset): Default true.
        continue_final_message (bool | None | Unset):
        add_special_tokens (bool | None | Unset): Default false: the template writes them.
        chat_template (None | str | Unset): A Jinja template, or a name in the model's set; needs --trust-request-chat-
            template.
        chat_template_kwargs (ChatCompletionRequestChatTemplateKwargsType0 | None | Unset): Further variables of the
            chat template.
        documents (list[ChatCompletionRequestDocumentsType0Item] | None | Unset): For retrieval templates.
        truncate_prompt_tokens (int | None | Unset): Keep so many prompt tokens; -1 = as many as the context takes.
        truncation_side (ChatCompletionRequestTruncationSideType1 | ChatCompletionRequestTruncationSideType2Type1 |
            ChatCompletionRequestTruncationSideType3Type1 | None | Unset): The side that is cut off; default left, of
            embeddings right.
        include_reasoning (bool | None | Unset): Taken and not used: no reasoning is parsed.
        echo (bool | None | Unset): Not supported.
        mm_processor_kwargs (ChatCompletionRequestMmProcessorKwargsType0 | None | Unset): Taken and not used: models are
            text models.
        reasoning_effort (ChatCompletionRequestReasoningEffortType1 | ChatCompletionRequestReasoningEffortType2Type1 |
            ChatCompletionRequestReasoningEffortType3Type1 | None | Unset): A variable of the chat template.
    """

    messages: list[ChatRequestMessage]
    model: None | str | Unset = UNSET
    n: int | None | Unset = UNSET
    temperature: float | None | Unset = UNSET
    top_p: float | None | Unset = UNSET
    top_k: int | None | Unset = UNSET
    min_p: float | None | Unset = UNSET
    repetition_penalty: float | None | Unset = UNSET
    presence_penalty: float | None | Unset = UNSET
    frequency_penalty: float | None | Unset = UNSET
    seed: int | None | Unset = UNSET
    stop: list[str] | None | str | Unset = UNSET
    stop_token_ids: list[int] | None | Unset = UNSET
    include_stop_str_in_output: bool | None | Unset = UNSET
    ignore_eos: bool | None | Unset = UNSET
    min_tokens: int | None | Unset = UNSET
    skip_special_tokens: bool | None | Unset = UNSET
    logit_bias: ChatCompletionRequestLogitBiasType0 | None | Unset = UNSET
    allowed_token_ids: list[int] | None | Unset = UNSET
    bad_words: list[str] | None | Unset = UNSET
    structured_outputs: None | StructuredOutputs | Unset = UNSET
    response_format: None | ResponseFormat | Unset = UNSET
    prompt_logprobs: int | None | Unset = UNSET
    return_token_ids: bool | None | Unset = UNSET
    return_tokens_as_token_ids: bool | None | Unset = UNSET
    stream: bool | None | Unset = UNSET
    stream_options: ChatCompletionRequestStreamOptionsType0 | None | Unset = UNSET
    cache_salt: None | str | Unset = UNSET
    request_id: None | str | Unset = UNSET
    priority: int | None | Unset = UNSET
    use_beam_search: bool | None | Unset = UNSET
    length_penalty: float | None | Unset = UNSET
    spaces_between_special_tokens: bool | None | Unset = UNSET
    kv_transfer_params: ChatCompletionRequestKvTransferParamsType0 | None | Unset = (
        UNSET
    )
    vllm_xargs: ChatCompletionRequestVllmXargsType0 | None | Unset = UNSET
    repetition_detection: (
        ChatCompletionRequestRepetitionDetectionType0 | None | Unset
    ) = UNSET
    logprob_token_ids: list[int] | None | Unset = UNSET
    user: None | str | Unset = UNSET
    max_tokens: int | None | Unset = UNSET
    max_completion_tokens: int | None | Unset = UNSET
    logprobs: bool | None | Unset = UNSET
    top_logprobs: int | None | Unset = UNSET
    tools: list[ChatTool] | None | Unset = UNSET
    tool_choice: ChatCompletionRequestToolChoiceType1 | None | str | Unset = UNSET
    parallel_tool_calls: bool | None | Unset = UNSET
    add_generation_prompt: bool | None | Unset = UNSET
    continue_final_message: bool | None | Unset = UNSET
    add_special_tokens: bool | None | Unset = UNSET
    chat_template: None | str | Unset = UNSET
    chat_template_kwargs: (
        ChatCompletionRequestChatTemplateKwargsType0 | None | Unset
    ) = UNSET
    documents: list[ChatCompletionRequestDocumentsType0Item] | None | Unset = UNSET
    truncate_prompt_tokens: int | None | Unset = UNSET
    truncation_side: (
        ChatCompletionRequestTruncationSideType1
        | ChatCompletionRequestTruncationSideType2Type1
        | ChatCompletionRequestTruncationSideType3Type1
        | None
        | Unset
    ) = UNSET
    include_reasoning: bool | None | Unset = UNSET
    echo: bool | None | Unset = UNSET
    mm_processor_kwargs: ChatCompletionRequestMmProcessorKwargsType0 | None | Unset = (
        UNSET
    )
    reasoning_effort: (
        ChatCompletionRequestReasoningEffortType1
        | ChatCompletionRequestReasoningEffortType2Type1
        | ChatCompletionRequestReasoningEffortType3Type1
        | None
        | Unset
    ) = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.chat_completion_request_chat_template_kwargs_type_0 import (
            ChatCompletionRequestChatTemplateKwargsType0,
        )
        from ..models.chat_completion_request_kv_transfer_params_type_0 import (
            ChatCompletionRequestKvTransferParamsType0,
        )
        from ..models.chat_completion_request_logit_bias_type_0 import (
            ChatCompletionRequestLogitBiasType0,
        )
        from ..models.chat_completion_request_mm_processor_kwargs_type_0 import (
            ChatCompletionRequestMmProcessorKwargsType0,
        )
        from ..models.chat_completion_request_repetition_detection_type_0 import (
            ChatCompletionRequestRepetitionDetectionType0,
        )
        from ..models.chat_completion_request_stream_options_type_0 import (
            ChatCompletionRequestStreamOptionsType0,
        )
        from ..models.chat_completion_request_tool_choice_type_1 import (
            ChatCompletionRequestToolChoiceType1,
        )
        from ..models.chat_completion_request_vllm_xargs_type_0 import (
            ChatCompletionRequestVllmXargsType0,
        )
        from ..models.response_format import ResponseFormat
        from ..models.structured_outputs import StructuredOutputs

        messages = []
        for messages_item_data in self.messages:
            messages_item = messages_item_data.to_dict()
            messages.append(messages_item)

        model: None | str | Unset
        if isinstance(self.model, Unset):
            model = UNSET
        else:
            model = self.model

        n: int | None | Unset
        if isinstance(self.n, Unset):
            n = UNSET
        else:
            n = self.n

        temperature: float | None | Unset
        if isinstance(self.temperature, Unset):
            temperature = UNSET
        else:
            temperature = self.temperature

        top_p: float | None | Unset
        if isinstance(self.top_p, Unset):
            top_p = UNSET
        else:
            top_p = self.top_p

        top_k: int | None | Unset
        if isinstance(self.top_k, Unset):
            top_k = UNSET
        else:
            top_k = self.top_k

        min_p: float | None | Unset
        if isinstance(self.min_p, Unset):
            min_p = UNSET
        else:
            min_p = self.min_p

        repetition_penalty: float | None | Unset
        if isinstance(self.repetition_penalty, Unset):
            repetition_penalty = UNSET
        else:
            repetition_penalty = self.repetition_penalty

        presence_penalty: float | None | Unset
        if isinstance(self.presence_penalty, Unset):
            presence_penalty = UNSET
        else:
            presence_penalty = self.presence_penalty

        frequency_penalty: float | None | Unset
        if isinstance(self.frequency_penalty, Unset):
            frequency_penalty = UNSET
        else:
            frequency_penalty = self.frequency_penalty

        seed: int | None | Unset
        if isinstance(self.seed, Unset):
            seed = UNSET
        else:
            seed = self.seed

        stop: list[str] | None | str | Unset
        if isinstance(self.stop, Unset):
            stop = UNSET
        elif isinstance(self.stop, list):
            stop = self.stop

        else:
            stop = self.stop

        stop_token_ids: list[int] | None | Unset
        if isinstance(self.stop_token_ids, Unset):
            stop_token_ids = UNSET
        elif isinstance(self.stop_token_ids, list):
            stop_token_ids = self.stop_token_ids

        else:
            stop_token_ids = self.stop_token_ids

        include_stop_str_in_output: bool | None | Unset
        if isinstance(self.include_stop_str_in_output, Unset):
            include_stop_str_in_output = UNSET
        else:
            include_stop_str_in_output = self.include_stop_str_in_output

        ignore_eos: bool | None | Unset
        if isinstance(self.ignore_eos, Unset):
            ignore_eos = UNSET
        else:
            ignore_eos = self.ignore_eos

        min_tokens: int | None | Unset
        if isinstance(self.min_tokens, Unset):
            min_tokens = UNSET
        else:
            min_tokens = self.min_tokens

        skip_special_tokens: bool | None | Unset
        if isinstance(self.skip_special_tokens, Unset):
            skip_special_tokens = UNSET
        else:
            skip_special_tokens = self.skip_special_tokens

        logit_bias: dict[str, Any] | None | Unset
        if isinstance(self.logit_bias, Unset):
            logit_bias = UNSET
        elif isinstance(self.logit_bias, ChatCompletionRequestLogitBiasType0):
            logit_bias = self.logit_bias.to_dict()
        else:
            logit_bias = self.logit_bias

        allowed_token_ids: list[int] | None | Unset
        if isinstance(self.allowed_token_ids, Unset):
            allowed_token_ids = UNSET
        elif isinstance(self.allowed_token_ids, list):
            allowed_token_ids = self.allowed_token_ids

        else:
            allowed_token_ids = self.allowed_token_ids

        bad_words: list[str] | None | Unset
        if isinstance(self.bad_words, Unset):
            bad_words = UNSET
        elif isinstance(self.bad_words, list):
            bad_words = self.bad_words

        else:
            bad_words = self.bad_words

        structured_outputs: dict[str, Any] | None | Unset
        if isinstance(self.structured_outputs, Unset):
            structured_outputs = UNSET
        elif isinstance(self.structured_outputs, StructuredOutputs):
            structured_outputs = self.structured_outputs.to_dict()
        else:
            structured_outputs = self.structured_outputs

        response_format: dict[str, Any] | None | Unset
        if isinstance(self.response_format, Unset):
            response_format = UNSET
        elif isinstance(self.response_format, ResponseFormat):
            response_format = self.response_format.to_dict()
        else:
            response_format = self.response_format

        prompt_logprobs: int | None | Unset
        if isinstance(self.prompt_logprobs, Unset):
            prompt_logprobs = UNSET
        else:
            prompt_logprobs = self.prompt_logprobs

        return_token_ids: bool | None | Unset
        if isinstance(self.return_token_ids, Unset):
            return_token_ids = UNSET
        else:
            return_token_ids = self.return_token_ids

        return_tokens_as_token_ids: bool | None | Unset
        if isinstance(self.return_tokens_as_token_ids, Unset):
            return_tokens_as_token_ids = UNSET
        else:
            return_tokens_as_token_ids = self.return_tokens_as_token_ids

        stream: bool | None | Unset
        if isinstance(self.stream, Unset):
            stream = UNSET
        else:
            stream = self.stream

        stream_options: dict[str, Any] | None | Unset
        if isinstance(self.stream_options, Unset):
            stream_options = UNSET
        elif isinstance(self.stream_options, ChatCompletionRequestStreamOptionsType0):
            stream_options = self.stream_options.to_dict()
        else:
            stream_options = self.stream_options

        cache_salt: None | str | Unset
        if isinstance(self.cache_salt, Unset):
            cache_salt = UNSET
        else:
            cache_salt = self.cache_salt

        request_id: None | str | Unset
        if isinstance(self.request_id, Unset):
            request_id = UNSET
        else:
            request_id = self.request_id

        priority: int | None | Unset
        if isinstance(self.priority, Unset):
            priority = UNSET
        else:
            priority = self.priority

        use_beam_search: bool | None | Unset
        if isinstance(self.use_beam_search, Unset):
            use_beam_search = UNSET
        else:
            use_beam_search = self.use_beam_search

        length_penalty: float | None | Unset
        if isinstance(self.length_penalty, Unset):
            length_penalty = UNSET
        else:
            length_penalty = self.length_penalty

        spaces_between_special_tokens: bool | None | Unset
        if isinstance(self.spaces_between_special_tokens, Unset):
            spaces_between_special_tokens = UNSET
        else:
            spaces_between_special_tokens = self.spaces_between_special_tokens

        kv_transfer_params: dict[str, Any] | None | Unset
        if isinstance(self.kv_transfer_params, Unset):
            kv_transfer_params = UNSET
        elif isinstance(
            self.kv_transfer_params, ChatCompletionRequestKvTransferParamsType0
        ):
            kv_transfer_params = self.kv_transfer_params.to_dict()
        else:
            kv_transfer_params = self.kv_transfer_params

        vllm_xargs: dict[str, Any] | None | Unset
        if isinstance(self.vllm_xargs, Unset):
            vllm_xargs = UNSET
        elif isinstance(self.vllm_xargs, ChatCompletionRequestVllmXargsType0):
            vllm_xargs = self.vllm_xargs.to_dict()
        else:
            vllm_xargs = self.vllm_xargs

        repetition_detection: dict[str, Any] | None | Unset
        if isinstance(self.repetition_detection, Unset):
            repetition_detection = UNSET
        elif isinstance(
            self.repetition_detection, ChatCompletionRequestRepetitionDetectionType0
        ):
            repetition_detection = self.repetition_detection.to_dict()
        else:
            repetition_detection = self.repetition_detection

        logprob_token_ids: list[int] | None | Unset
        if isinstance(self.logprob_token_ids, Unset):
            logprob_token_ids = UNSET
        elif isinstance(self.logprob_token_ids, list):
            logprob_token_ids = self.logprob_token_ids

        else:
            logprob_token_ids = self.logprob_token_ids

        user: None | str | Unset
        if isinstance(self.user, Unset):
            user = UNSET
        else:
            user = self.user

        max_tokens: int | None | Unset
        if isinstance(self.max_tokens, Unset):
            max_tokens = UNSET
        else:
            max_tokens = self.max_tokens

        max_completion_tokens: int | None | Unset
        if isinstance(self.max_completion_tokens, Unset):
            max_completion_tokens = UNSET
        else:
            max_completion_tokens = self.max_completion_tokens

        logprobs: bool | None | Unset
        if isinstance(self.logprobs, Unset):
            logprobs = UNSET
        else:
            logprobs = self.logprobs

        top_logprobs: int | None | Unset
        if isinstance(self.top_logprobs, Unset):
            top_logprobs = UNSET
        else:
            top_logprobs = self.top_logprobs

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

        tool_choice: dict[str, Any] | None | str | Unset
        if isinstance(self.tool_choice, Unset):
            tool_choice = UNSET
        elif isinstance(self.tool_choice, ChatCompletionRequestToolChoiceType1):
            tool_choice = self.tool_choice.to_dict()
        else:
            tool_choice = self.tool_choice

        parallel_tool_calls: bool | None | Unset
        if isinstance(self.parallel_tool_calls, Unset):
            parallel_tool_calls = UNSET
        else:
            parallel_tool_calls = self.parallel_tool_calls

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

        add_special_tokens: bool | None | Unset
        if isinstance(self.add_special_tokens, Unset):
            add_special_tokens = UNSET
        else:
            add_special_tokens = self.add_special_tokens

        chat_template: None | str | Unset
        if isinstance(self.chat_template, Unset):
            chat_template = UNSET
        else:
            chat_template = self.chat_template

        chat_template_kwargs: dict[str, Any] | None | Unset
        if isinstance(self.chat_template_kwargs, Unset):
            chat_template_kwargs = UNSET
        elif isinstance(
            self.chat_template_kwargs, ChatCompletionRequestChatTemplateKwargsType0
        ):
            chat_template_kwargs = self.chat_template_kwargs.to_dict()
        else:
            chat_template_kwargs = self.chat_template_kwargs

        documents: list[dict[str, Any]] | None | Unset
        if isinstance(self.documents, Unset):
            documents = UNSET
        elif isinstance(self.documents, list):
            documents = []
            for documents_type_0_item_data in self.documents:
                documents_type_0_item = documents_type_0_item_data.to_dict()
                documents.append(documents_type_0_item)

        else:
            documents = self.documents

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

        include_reasoning: bool | None | Unset
        if isinstance(self.include_reasoning, Unset):
            include_reasoning = UNSET
        else:
            include_reasoning = self.include_reasoning

        echo: bool | None | Unset
        if isinstance(self.echo, Unset):
            echo = UNSET
        else:
            echo = self.echo

        mm_processor_kwargs: dict[str, Any] | None | Unset
        if isinstance(self.mm_processor_kwargs, Unset):
            mm_processor_kwargs = UNSET
        elif isinstance(
            self.mm_processor_kwargs, ChatCompletionRequestMmProcessorKwargsType0
        ):
            mm_processor_kwargs = self.mm_processor_kwargs.to_dict()
        else:
            mm_processor_kwargs = self.mm_processor_kwargs

        reasoning_effort: None | str | Unset
        if isinstance(self.reasoning_effort, Unset):
            reasoning_effort = UNSET
        elif (
            isinstance(self.reasoning_effort, str)
            or isinstance(self.reasoning_effort, str)
            or isinstance(self.reasoning_effort, str)
        ):
            reasoning_effort = self.reasoning_effort
        else:
            reasoning_effort = self.reasoning_effort

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "messages": messages,
            }
        )
        if model is not UNSET:
            field_dict["model"] = model
        if n is not UNSET:
            field_dict["n"] = n
        if temperature is not UNSET:
            field_dict["temperature"] = temperature
        if top_p is not UNSET:
            field_dict["top_p"] = top_p
        if top_k is not UNSET:
            field_dict["top_k"] = top_k
        if min_p is not UNSET:
            field_dict["min_p"] = min_p
        if repetition_penalty is not UNSET:
            field_dict["repetition_penalty"] = repetition_penalty
        if presence_penalty is not UNSET:
            field_dict["presence_penalty"] = presence_penalty
        if frequency_penalty is not UNSET:
            field_dict["frequency_penalty"] = frequency_penalty
        if seed is not UNSET:
            field_dict["seed"] = seed
        if stop is not UNSET:
            field_dict["stop"] = stop
        if stop_token_ids is not UNSET:
            field_dict["stop_token_ids"] = stop_token_ids
        if include_stop_str_in_output is not UNSET:
            field_dict["include_stop_str_in_output"] = include_stop_str_in_output
        if ignore_eos is not UNSET:
            field_dict["ignore_eos"] = ignore_eos
        if min_tokens is not UNSET:
            field_dict["min_tokens"] = min_tokens
        if skip_special_tokens is not UNSET:
            field_dict["skip_special_tokens"] = skip_special_tokens
        if logit_bias is not UNSET:
            field_dict["logit_bias"] = logit_bias
        if allowed_token_ids is not UNSET:
            field_dict["allowed_token_ids"] = allowed_token_ids
        if bad_words is not UNSET:
            field_dict["bad_words"] = bad_words
        if structured_outputs is not UNSET:
            field_dict["structured_outputs"] = structured_outputs
        if response_format is not UNSET:
            field_dict["response_format"] = response_format
        if prompt_logprobs is not UNSET:
            field_dict["prompt_logprobs"] = prompt_logprobs
        if return_token_ids is not UNSET:
            field_dict["return_token_ids"] = return_token_ids
        if return_tokens_as_token_ids is not UNSET:
            field_dict["return_tokens_as_token_ids"] = return_tokens_as_token_ids
        if stream is not UNSET:
            field_dict["stream"] = stream
        if stream_options is not UNSET:
            field_dict["stream_options"] = stream_options
        if cache_salt is not UNSET:
            field_dict["cache_salt"] = cache_salt
        if request_id is not UNSET:
            field_dict["request_id"] = request_id
        if priority is not UNSET:
            field_dict["priority"] = priority
        if use_beam_search is not UNSET:
            field_dict["use_beam_search"] = use_beam_search
        if length_penalty is not UNSET:
            field_dict["length_penalty"] = length_penalty
        if spaces_between_special_tokens is not UNSET:
            field_dict["spaces_between_special_tokens"] = spaces_between_special_tokens
        if kv_transfer_params is not UNSET:
            field_dict["kv_transfer_params"] = kv_transfer_params
        if vllm_xargs is not UNSET:
            field_dict["vllm_xargs"] = vllm_xargs
        if repetition_detection is not UNSET:
            field_dict["repetition_detection"] = repetition_detection
        if logprob_token_ids is not UNSET:
            field_dict["logprob_token_ids"] = logprob_token_ids
        if user is not UNSET:
            field_dict["user"] = user
        if max_tokens is not UNSET:
            field_dict["max_tokens"] = max_tokens
        if max_completion_tokens is not UNSET:
            field_dict["max_completion_tokens"] = max_completion_tokens
        if logprobs is not UNSET:
            field_dict["logprobs"] = logprobs
        if top_logprobs is not UNSET:
            field_dict["top_logprobs"] = top_logprobs
        if tools is not UNSET:
            field_dict["tools"] = tools
        if tool_choice is not UNSET:
            field_dict["tool_choice"] = tool_choice
        if parallel_tool_calls is not UNSET:
            field_dict["parallel_tool_calls"] = parallel_tool_calls
        if add_generation_prompt is not UNSET:
            field_dict["add_generation_prompt"] = add_generation_prompt
        if continue_final_message is not UNSET:
            field_dict["continue_final_message"] = continue_final_message
        if add_special_tokens is not UNSET:
            field_dict["add_special_tokens"] = add_special_tokens
        if chat_template is not UNSET:
            field_dict["chat_template"] = chat_template
        if chat_template_kwargs is not UNSET:
            field_dict["chat_template_kwargs"] = chat_template_kwargs
        if documents is not UNSET:
            field_dict["documents"] = documents
        if truncate_prompt_tokens is not UNSET:
            field_dict["truncate_prompt_tokens"] = truncate_prompt_tokens
        if truncation_side is not UNSET:
            field_dict["truncation_side"] = truncation_side
        if include_reasoning is not UNSET:
            field_dict["include_reasoning"] = include_reasoning
        if echo is not UNSET:
            field_dict["echo"] = echo
        if mm_processor_kwargs is not UNSET:
            field_dict["mm_processor_kwargs"] = mm_processor_kwargs
        if reasoning_effort is not UNSET:
            field_dict["reasoning_effort"] = reasoning_effort

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.chat_completion_request_chat_template_kwargs_type_0 import (
            ChatCompletionRequestChatTemplateKwargsType0,
        )
        from ..models.chat_completion_request_documents_type_0_item import (
            ChatCompletionRequestDocumentsType0Item,
        )
        from ..models.chat_completion_request_kv_transfer_params_type_0 import (
            ChatCompletionRequestKvTransferParamsType0,
        )
        from ..models.chat_completion_request_logit_bias_type_0 import (
            ChatCompletionRequestLogitBiasType0,
        )
        from ..models.chat_completion_request_mm_processor_kwargs_type_0 import (
            ChatCompletionRequestMmProcessorKwargsType0,
        )
        from ..models.chat_completion_request_repetition_detection_type_0 import (
            ChatCompletionRequestRepetitionDetectionType0,
        )
        from ..models.chat_completion_request_stream_options_type_0 import (
            ChatCompletionRequestStreamOptionsType0,
        )
        from ..models.chat_completion_request_tool_choice_type_1 import (
            ChatCompletionRequestToolChoiceType1,
        )
        from ..models.chat_completion_request_vllm_xargs_type_0 import (
            ChatCompletionRequestVllmXargsType0,
        )
        from ..models.chat_request_message import ChatRequestMessage
        from ..models.chat_tool import ChatTool
        from ..models.response_format import ResponseFormat
        from ..models.structured_outputs import StructuredOutputs

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

        def _parse_n(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        n = _parse_n(d.pop("n", UNSET))

        def _parse_temperature(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        temperature = _parse_temperature(d.pop("temperature", UNSET))

        def _parse_top_p(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        top_p = _parse_top_p(d.pop("top_p", UNSET))

        def _parse_top_k(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        top_k = _parse_top_k(d.pop("top_k", UNSET))

        def _parse_min_p(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        min_p = _parse_min_p(d.pop("min_p", UNSET))

        def _parse_repetition_penalty(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        repetition_penalty = _parse_repetition_penalty(
            d.pop("repetition_penalty", UNSET)
        )

        def _parse_presence_penalty(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        presence_penalty = _parse_presence_penalty(d.pop("presence_penalty", UNSET))

        def _parse_frequency_penalty(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        frequency_penalty = _parse_frequency_penalty(d.pop("frequency_penalty", UNSET))

        def _parse_seed(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seed = _parse_seed(d.pop("seed", UNSET))

        def _parse_stop(data: object) -> list[str] | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                stop_type_1 = cast(list[str], data)

                return stop_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | str | Unset, data)

        stop = _parse_stop(d.pop("stop", UNSET))

        def _parse_stop_token_ids(data: object) -> list[int] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                stop_token_ids_type_0 = cast(list[int], data)

                return stop_token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None | Unset, data)

        stop_token_ids = _parse_stop_token_ids(d.pop("stop_token_ids", UNSET))

        def _parse_include_stop_str_in_output(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        include_stop_str_in_output = _parse_include_stop_str_in_output(
            d.pop("include_stop_str_in_output", UNSET)
        )

        def _parse_ignore_eos(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        ignore_eos = _parse_ignore_eos(d.pop("ignore_eos", UNSET))

        def _parse_min_tokens(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        min_tokens = _parse_min_tokens(d.pop("min_tokens", UNSET))

        def _parse_skip_special_tokens(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        skip_special_tokens = _parse_skip_special_tokens(
            d.pop("skip_special_tokens", UNSET)
        )

        def _parse_logit_bias(
            data: object,
        ) -> ChatCompletionRequestLogitBiasType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                logit_bias_type_0 = ChatCompletionRequestLogitBiasType0.from_dict(data)

                return logit_bias_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ChatCompletionRequestLogitBiasType0 | None | Unset, data)

        logit_bias = _parse_logit_bias(d.pop("logit_bias", UNSET))

        def _parse_allowed_token_ids(data: object) -> list[int] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                allowed_token_ids_type_0 = cast(list[int], data)

                return allowed_token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None | Unset, data)

        allowed_token_ids = _parse_allowed_token_ids(d.pop("allowed_token_ids", UNSET))

        def _parse_bad_words(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                bad_words_type_0 = cast(list[str], data)

                return bad_words_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        bad_words = _parse_bad_words(d.pop("bad_words", UNSET))

        def _parse_structured_outputs(data: object) -> None | StructuredOutputs | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                structured_outputs_type_0 = StructuredOutputs.from_dict(data)

                return structured_outputs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | StructuredOutputs | Unset, data)

        structured_outputs = _parse_structured_outputs(
            d.pop("structured_outputs", UNSET)
        )

        def _parse_response_format(data: object) -> None | ResponseFormat | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_format_type_0 = ResponseFormat.from_dict(data)

                return response_format_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | ResponseFormat | Unset, data)

        response_format = _parse_response_format(d.pop("response_format", UNSET))

        def _parse_prompt_logprobs(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        prompt_logprobs = _parse_prompt_logprobs(d.pop("prompt_logprobs", UNSET))

        def _parse_return_token_ids(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        return_token_ids = _parse_return_token_ids(d.pop("return_token_ids", UNSET))

        def _parse_return_tokens_as_token_ids(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        return_tokens_as_token_ids = _parse_return_tokens_as_token_ids(
            d.pop("return_tokens_as_token_ids", UNSET)
        )

        def _parse_stream(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        stream = _parse_stream(d.pop("stream", UNSET))

        def _parse_stream_options(
            data: object,
        ) -> ChatCompletionRequestStreamOptionsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                stream_options_type_0 = (
                    ChatCompletionRequestStreamOptionsType0.from_dict(data)
                )

                return stream_options_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ChatCompletionRequestStreamOptionsType0 | None | Unset, data)

        stream_options = _parse_stream_options(d.pop("stream_options", UNSET))

        def _parse_cache_salt(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        cache_salt = _parse_cache_salt(d.pop("cache_salt", UNSET))

        def _parse_request_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        request_id = _parse_request_id(d.pop("request_id", UNSET))

        def _parse_priority(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        priority = _parse_priority(d.pop("priority", UNSET))

        def _parse_use_beam_search(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        use_beam_search = _parse_use_beam_search(d.pop("use_beam_search", UNSET))

        def _parse_length_penalty(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        length_penalty = _parse_length_penalty(d.pop("length_penalty", UNSET))

        def _parse_spaces_between_special_tokens(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        spaces_between_special_tokens = _parse_spaces_between_special_tokens(
            d.pop("spaces_between_special_tokens", UNSET)
        )

        def _parse_kv_transfer_params(
            data: object,
        ) -> ChatCompletionRequestKvTransferParamsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                kv_transfer_params_type_0 = (
                    ChatCompletionRequestKvTransferParamsType0.from_dict(data)
                )

                return kv_transfer_params_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ChatCompletionRequestKvTransferParamsType0 | None | Unset, data)

        kv_transfer_params = _parse_kv_transfer_params(
            d.pop("kv_transfer_params", UNSET)
        )

        def _parse_vllm_xargs(
            data: object,
        ) -> ChatCompletionRequestVllmXargsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                vllm_xargs_type_0 = ChatCompletionRequestVllmXargsType0.from_dict(data)

                return vllm_xargs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ChatCompletionRequestVllmXargsType0 | None | Unset, data)

        vllm_xargs = _parse_vllm_xargs(d.pop("vllm_xargs", UNSET))

        def _parse_repetition_detection(
            data: object,
        ) -> ChatCompletionRequestRepetitionDetectionType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                repetition_detection_type_0 = (
                    ChatCompletionRequestRepetitionDetectionType0.from_dict(data)
                )

                return repetition_detection_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                ChatCompletionRequestRepetitionDetectionType0 | None | Unset, data
            )

        repetition_detection = _parse_repetition_detection(
            d.pop("repetition_detection", UNSET)
        )

        def _parse_logprob_token_ids(data: object) -> list[int] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                logprob_token_ids_type_0 = cast(list[int], data)

                return logprob_token_ids_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int] | None | Unset, data)

        logprob_token_ids = _parse_logprob_token_ids(d.pop("logprob_token_ids", UNSET))

        def _parse_user(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user = _parse_user(d.pop("user", UNSET))

        def _parse_max_tokens(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        max_tokens = _parse_max_tokens(d.pop("max_tokens", UNSET))

        def _parse_max_completion_tokens(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        max_completion_tokens = _parse_max_completion_tokens(
            d.pop("max_completion_tokens", UNSET)
        )

        def _parse_logprobs(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        logprobs = _parse_logprobs(d.pop("logprobs", UNSET))

        def _parse_top_logprobs(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        top_logprobs = _parse_top_logprobs(d.pop("top_logprobs", UNSET))

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

        def _parse_tool_choice(
            data: object,
        ) -> ChatCompletionRequestToolChoiceType1 | None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                tool_choice_type_1 = ChatCompletionRequestToolChoiceType1.from_dict(
                    data
                )

                return tool_choice_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ChatCompletionRequestToolChoiceType1 | None | str | Unset, data)

        tool_choice = _parse_tool_choice(d.pop("tool_choice", UNSET))

        def _parse_parallel_tool_calls(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        parallel_tool_calls = _parse_parallel_tool_calls(
            d.pop("parallel_tool_calls", UNSET)
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

        def _parse_add_special_tokens(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        add_special_tokens = _parse_add_special_tokens(
            d.pop("add_special_tokens", UNSET)
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
        ) -> ChatCompletionRequestChatTemplateKwargsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                chat_template_kwargs_type_0 = (
                    ChatCompletionRequestChatTemplateKwargsType0.from_dict(data)
                )

                return chat_template_kwargs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                ChatCompletionRequestChatTemplateKwargsType0 | None | Unset, data
            )

        chat_template_kwargs = _parse_chat_template_kwargs(
            d.pop("chat_template_kwargs", UNSET)
        )

        def _parse_documents(
            data: object,
        ) -> list[ChatCompletionRequestDocumentsType0Item] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                documents_type_0 = []
                _documents_type_0 = data
                for documents_type_0_item_data in _documents_type_0:
                    documents_type_0_item = (
                        ChatCompletionRequestDocumentsType0Item.from_dict(
                            documents_type_0_item_data
                        )
                    )

                    documents_type_0.append(documents_type_0_item)

                return documents_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                list[ChatCompletionRequestDocumentsType0Item] | None | Unset, data
            )

        documents = _parse_documents(d.pop("documents", UNSET))

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
            ChatCompletionRequestTruncationSideType1
            | ChatCompletionRequestTruncationSideType2Type1
            | ChatCompletionRequestTruncationSideType3Type1
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
                truncation_side_type_1 = (
                    check_chat_completion_request_truncation_side_type_1(data)
                )

                return truncation_side_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                truncation_side_type_2_type_1 = (
                    check_chat_completion_request_truncation_side_type_2_type_1(data)
                )

                return truncation_side_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                truncation_side_type_3_type_1 = (
                    check_chat_completion_request_truncation_side_type_3_type_1(data)
                )

                return truncation_side_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                ChatCompletionRequestTruncationSideType1
                | ChatCompletionRequestTruncationSideType2Type1
                | ChatCompletionRequestTruncationSideType3Type1
                | None
                | Unset,
                data,
            )

        truncation_side = _parse_truncation_side(d.pop("truncation_side", UNSET))

        def _parse_include_reasoning(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        include_reasoning = _parse_include_reasoning(d.pop("include_reasoning", UNSET))

        def _parse_echo(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        echo = _parse_echo(d.pop("echo", UNSET))

        def _parse_mm_processor_kwargs(
            data: object,
        ) -> ChatCompletionRequestMmProcessorKwargsType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                mm_processor_kwargs_type_0 = (
                    ChatCompletionRequestMmProcessorKwargsType0.from_dict(data)
                )

                return mm_processor_kwargs_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                ChatCompletionRequestMmProcessorKwargsType0 | None | Unset, data
            )

        mm_processor_kwargs = _parse_mm_processor_kwargs(
            d.pop("mm_processor_kwargs", UNSET)
        )

        def _parse_reasoning_effort(
            data: object,
        ) -> (
            ChatCompletionRequestReasoningEffortType1
            | ChatCompletionRequestReasoningEffortType2Type1
            | ChatCompletionRequestReasoningEffortType3Type1
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
                reasoning_effort_type_1 = (
                    check_chat_completion_request_reasoning_effort_type_1(data)
                )

                return reasoning_effort_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                reasoning_effort_type_2_type_1 = (
                    check_chat_completion_request_reasoning_effort_type_2_type_1(data)
                )

                return reasoning_effort_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                reasoning_effort_type_3_type_1 = (
                    check_chat_completion_request_reasoning_effort_type_3_type_1(data)
                )

                return reasoning_effort_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                ChatCompletionRequestReasoningEffortType1
                | ChatCompletionRequestReasoningEffortType2Type1
                | ChatCompletionRequestReasoningEffortType3Type1
                | None
                | Unset,
                data,
            )

        reasoning_effort = _parse_reasoning_effort(d.pop("reasoning_effort", UNSET))

        chat_completion_request = cls(
            messages=messages,
            model=model,
            n=n,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            presence_penalty=presence_penalty,
            frequency_penalty=frequency_penalty,
            seed=seed,
            stop=stop,
            stop_token_ids=stop_token_ids,
            include_stop_str_in_output=include_stop_str_in_output,
            ignore_eos=ignore_eos,
            min_tokens=min_tokens,
            skip_special_tokens=skip_special_tokens,
            logit_bias=logit_bias,
            allowed_token_ids=allowed_token_ids,
            bad_words=bad_words,
            structured_outputs=structured_outputs,
            response_format=response_format,
            prompt_logprobs=prompt_logprobs,
            return_token_ids=return_token_ids,
            return_tokens_as_token_ids=return_tokens_as_token_ids,
            stream=stream,
            stream_options=stream_options,
            cache_salt=cache_salt,
            request_id=request_id,
            priority=priority,
            use_beam_search=use_beam_search,
            length_penalty=length_penalty,
            spaces_between_special_tokens=spaces_between_special_tokens,
            kv_transfer_params=kv_transfer_params,
            vllm_xargs=vllm_xargs,
            repetition_detection=repetition_detection,
            logprob_token_ids=logprob_token_ids,
            user=user,
            max_tokens=max_tokens,
            max_completion_tokens=max_completion_tokens,
            logprobs=logprobs,
            top_logprobs=top_logprobs,
            tools=tools,
            tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=continue_final_message,
            add_special_tokens=add_special_tokens,
            chat_template=chat_template,
            chat_template_kwargs=chat_template_kwargs,
            documents=documents,
            truncate_prompt_tokens=truncate_prompt_tokens,
            truncation_side=truncation_side,
            include_reasoning=include_reasoning,
            echo=echo,
            mm_processor_kwargs=mm_processor_kwargs,
            reasoning_effort=reasoning_effort,
        )

        chat_completion_request.additional_properties = d
        return chat_completion_request

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
