"""Contains all the data models used in inputs/outputs"""

from .attach_server import AttachServer
from .attach_server_kind import AttachServerKind
from .audit_entry import AuditEntry
from .audit_list import AuditList
from .chat_choice import ChatChoice
from .chat_completion_request import ChatCompletionRequest
from .chat_completion_request_chat_template_kwargs_type_0 import (
    ChatCompletionRequestChatTemplateKwargsType0,
)
from .chat_completion_request_documents_type_0_item import (
    ChatCompletionRequestDocumentsType0Item,
)
from .chat_completion_request_kv_transfer_params_type_0 import (
    ChatCompletionRequestKvTransferParamsType0,
)
from .chat_completion_request_logit_bias_type_0 import (
    ChatCompletionRequestLogitBiasType0,
)
from .chat_completion_request_mm_processor_kwargs_type_0 import (
    ChatCompletionRequestMmProcessorKwargsType0,
)
from .chat_completion_request_reasoning_effort_type_1 import (
    ChatCompletionRequestReasoningEffortType1,
)
from .chat_completion_request_reasoning_effort_type_2_type_1 import (
    ChatCompletionRequestReasoningEffortType2Type1,
)
from .chat_completion_request_reasoning_effort_type_3_type_1 import (
    ChatCompletionRequestReasoningEffortType3Type1,
)
from .chat_completion_request_repetition_detection_type_0 import (
    ChatCompletionRequestRepetitionDetectionType0,
)
from .chat_completion_request_stream_options_type_0 import (
    ChatCompletionRequestStreamOptionsType0,
)
from .chat_completion_request_tool_choice_type_1 import (
    ChatCompletionRequestToolChoiceType1,
)
from .chat_completion_request_truncation_side_type_1 import (
    ChatCompletionRequestTruncationSideType1,
)
from .chat_completion_request_truncation_side_type_2_type_1 import (
    ChatCompletionRequestTruncationSideType2Type1,
)
from .chat_completion_request_truncation_side_type_3_type_1 import (
    ChatCompletionRequestTruncationSideType3Type1,
)
from .chat_completion_request_vllm_xargs_type_0 import (
    ChatCompletionRequestVllmXargsType0,
)
from .chat_completion_response import ChatCompletionResponse
from .chat_completion_response_object import ChatCompletionResponseObject
from .chat_content_part import ChatContentPart
from .chat_finish_reason import ChatFinishReason
from .chat_format_request import ChatFormatRequest
from .chat_format_request_format import ChatFormatRequestFormat
from .chat_format_result import ChatFormatResult
from .chat_format_result_embedding_rows import ChatFormatResultEmbeddingRows
from .chat_format_result_format import ChatFormatResultFormat
from .chat_format_result_special_tokens import ChatFormatResultSpecialTokens
from .chat_format_result_token_ids import ChatFormatResultTokenIds
from .chat_logprobs import ChatLogprobs
from .chat_logprobs_content_type_0_item import ChatLogprobsContentType0Item
from .chat_logprobs_content_type_0_item_top_logprobs_item import (
    ChatLogprobsContentType0ItemTopLogprobsItem,
)
from .chat_message_out import ChatMessageOut
from .chat_request_message import ChatRequestMessage
from .chat_request_message_tool_calls_type_0_item import (
    ChatRequestMessageToolCallsType0Item,
)
from .chat_tool import ChatTool
from .chat_tool_call import ChatToolCall
from .chat_tool_call_function import ChatToolCallFunction
from .chat_tool_call_type import ChatToolCallType
from .completion_choice import CompletionChoice
from .completion_logprobs import CompletionLogprobs
from .completion_logprobs_top_logprobs_item_type_0 import (
    CompletionLogprobsTopLogprobsItemType0,
)
from .completion_request import CompletionRequest
from .completion_request_kv_transfer_params_type_0 import (
    CompletionRequestKvTransferParamsType0,
)
from .completion_request_logit_bias_type_0 import CompletionRequestLogitBiasType0
from .completion_request_repetition_detection_type_0 import (
    CompletionRequestRepetitionDetectionType0,
)
from .completion_request_stream_options_type_0 import (
    CompletionRequestStreamOptionsType0,
)
from .completion_request_truncation_side_type_1 import (
    CompletionRequestTruncationSideType1,
)
from .completion_request_truncation_side_type_2_type_1 import (
    CompletionRequestTruncationSideType2Type1,
)
from .completion_request_truncation_side_type_3_type_1 import (
    CompletionRequestTruncationSideType3Type1,
)
from .completion_request_vllm_xargs_type_0 import CompletionRequestVllmXargsType0
from .completion_response import CompletionResponse
from .completion_response_object import CompletionResponseObject
from .create_lease import CreateLease
from .detokenize_request import DetokenizeRequest
from .detokenize_response import DetokenizeResponse
from .disk_source import DiskSource
from .disk_source_kind import DiskSourceKind
from .dry_run_result import DryRunResult
from .dry_run_result_servers_item import DryRunResultServersItem
from .embedding import Embedding
from .embedding_object import EmbeddingObject
from .embedding_request import EmbeddingRequest
from .embedding_request_chat_template_kwargs_type_0 import (
    EmbeddingRequestChatTemplateKwargsType0,
)
from .embedding_request_embed_dtype import EmbeddingRequestEmbedDtype
from .embedding_request_encoding_format_type_1 import (
    EmbeddingRequestEncodingFormatType1,
)
from .embedding_request_encoding_format_type_2_type_1 import (
    EmbeddingRequestEncodingFormatType2Type1,
)
from .embedding_request_encoding_format_type_3_type_1 import (
    EmbeddingRequestEncodingFormatType3Type1,
)
from .embedding_request_endianness_type_1 import EmbeddingRequestEndiannessType1
from .embedding_request_endianness_type_2_type_1 import (
    EmbeddingRequestEndiannessType2Type1,
)
from .embedding_request_endianness_type_3_type_1 import (
    EmbeddingRequestEndiannessType3Type1,
)
from .embedding_request_pooling_type_type_1 import EmbeddingRequestPoolingTypeType1
from .embedding_request_pooling_type_type_2_type_1 import (
    EmbeddingRequestPoolingTypeType2Type1,
)
from .embedding_request_pooling_type_type_3_type_1 import (
    EmbeddingRequestPoolingTypeType3Type1,
)
from .embedding_request_truncation_side_type_1 import (
    EmbeddingRequestTruncationSideType1,
)
from .embedding_request_truncation_side_type_2_type_1 import (
    EmbeddingRequestTruncationSideType2Type1,
)
from .embedding_request_truncation_side_type_3_type_1 import (
    EmbeddingRequestTruncationSideType3Type1,
)
from .embedding_response import EmbeddingResponse
from .embedding_response_object import EmbeddingResponseObject
from .error_code import ErrorCode
from .finish_reason import FinishReason
from .fleet import Fleet
from .fleet_state import FleetState
from .fleet_state_event import FleetStateEvent
from .fleet_state_event_type import FleetStateEventType
from .generation_lease import GenerationLease
from .generation_lease_state import GenerationLeaseState
from .get_open_api_response_200 import GetOpenApiResponse200
from .get_world_size_include_dp import GetWorldSizeIncludeDp
from .http_source import HttpSource
from .http_source_kind import HttpSourceKind
from .json_schema_format import JsonSchemaFormat
from .json_schema_format_schema_type_0 import JsonSchemaFormatSchemaType0
from .lease_list import LeaseList
from .liveness import Liveness
from .liveness_status import LivenessStatus
from .model import Model
from .model_list import ModelList
from .model_list_object import ModelListObject
from .model_object import ModelObject
from .model_permission_item import ModelPermissionItem
from .model_residency import ModelResidency
from .model_residency_plan import ModelResidencyPlan
from .model_residency_plan_compat_type_1 import ModelResidencyPlanCompatType1
from .model_residency_plan_compat_type_2_type_1 import (
    ModelResidencyPlanCompatType2Type1,
)
from .model_residency_plan_compat_type_3_type_1 import (
    ModelResidencyPlanCompatType3Type1,
)
from .model_residency_plan_config import ModelResidencyPlanConfig
from .model_residency_plan_corrected_type_0 import ModelResidencyPlanCorrectedType0
from .model_residency_plan_corrected_type_0_config import (
    ModelResidencyPlanCorrectedType0Config,
)
from .model_residency_plan_corrected_type_1 import ModelResidencyPlanCorrectedType1
from .model_residency_plan_corrected_type_1_error import (
    ModelResidencyPlanCorrectedType1Error,
)
from .model_residency_plan_groups_item import ModelResidencyPlanGroupsItem
from .model_residency_plan_original_type_0 import ModelResidencyPlanOriginalType0
from .model_residency_plan_original_type_0_config import (
    ModelResidencyPlanOriginalType0Config,
)
from .model_residency_plan_original_type_1 import ModelResidencyPlanOriginalType1
from .model_residency_plan_original_type_1_error import (
    ModelResidencyPlanOriginalType1Error,
)
from .model_residency_plan_plugin_config import ModelResidencyPlanPluginConfig
from .model_residency_plan_residency import ModelResidencyPlanResidency
from .model_residency_plan_residency_device import ModelResidencyPlanResidencyDevice
from .model_residency_servers_item import ModelResidencyServersItem
from .nccl_source import NcclSource
from .nccl_source_kind import NcclSourceKind
from .not_ready import NotReady
from .not_ready_servers_item import NotReadyServersItem
from .offload_plan import OffloadPlan
from .offload_plan_compat_type_1 import OffloadPlanCompatType1
from .offload_plan_compat_type_2_type_1 import OffloadPlanCompatType2Type1
from .offload_plan_compat_type_3_type_1 import OffloadPlanCompatType3Type1
from .offload_plan_config import OffloadPlanConfig
from .offload_plan_corrected_type_0 import OffloadPlanCorrectedType0
from .offload_plan_corrected_type_0_config import OffloadPlanCorrectedType0Config
from .offload_plan_corrected_type_1 import OffloadPlanCorrectedType1
from .offload_plan_corrected_type_1_error import OffloadPlanCorrectedType1Error
from .offload_plan_groups_item import OffloadPlanGroupsItem
from .offload_plan_original_type_0 import OffloadPlanOriginalType0
from .offload_plan_original_type_0_config import OffloadPlanOriginalType0Config
from .offload_plan_original_type_1 import OffloadPlanOriginalType1
from .offload_plan_original_type_1_error import OffloadPlanOriginalType1Error
from .offload_plan_plugin_config import OffloadPlanPluginConfig
from .offload_plan_request import OffloadPlanRequest
from .offload_plan_request_compat_type_1 import OffloadPlanRequestCompatType1
from .offload_plan_request_compat_type_2_type_1 import (
    OffloadPlanRequestCompatType2Type1,
)
from .offload_plan_request_compat_type_3_type_1 import (
    OffloadPlanRequestCompatType3Type1,
)
from .offload_plan_request_deepspeed_config import OffloadPlanRequestDeepspeedConfig
from .offload_plan_request_mixed_precision import OffloadPlanRequestMixedPrecision
from .offload_plan_request_model_type_1 import OffloadPlanRequestModelType1
from .offload_plan_request_trainer import OffloadPlanRequestTrainer
from .offload_plan_residency import OffloadPlanResidency
from .offload_plan_residency_device import OffloadPlanResidencyDevice
from .open_ai_error import OpenAiError
from .open_ai_error_error import OpenAiErrorError
from .patch_server import PatchServer
from .patch_server_state import PatchServerState
from .pause_clear_cache import PauseClearCache
from .pause_mode import PauseMode
from .plan_directive import PlanDirective
from .plan_directive_compat_type_1 import PlanDirectiveCompatType1
from .plan_directive_compat_type_2_type_1 import PlanDirectiveCompatType2Type1
from .plan_directive_compat_type_3_type_1 import PlanDirectiveCompatType3Type1
from .plan_directive_deepspeed_config import PlanDirectiveDeepspeedConfig
from .plan_directive_mixed_precision import PlanDirectiveMixedPrecision
from .problem import Problem
from .prompt_logprob import PromptLogprob
from .prompt_logprobs_item_type_0 import PromptLogprobsItemType0
from .readiness import Readiness
from .readiness_servers_item import ReadinessServersItem
from .renew_lease import RenewLease
from .reset_prefix_cache_reset_external import ResetPrefixCacheResetExternal
from .reset_prefix_cache_reset_running_requests import (
    ResetPrefixCacheResetRunningRequests,
)
from .residency_directive import ResidencyDirective
from .residency_directive_groups import ResidencyDirectiveGroups
from .residency_report import ResidencyReport
from .residency_report_groups_item import ResidencyReportGroupsItem
from .response import Response
from .response_format import ResponseFormat
from .response_format_type import ResponseFormatType
from .response_incomplete_details_type_0 import ResponseIncompleteDetailsType0
from .response_incomplete_details_type_0_reason import (
    ResponseIncompleteDetailsType0Reason,
)
from .response_input_item import ResponseInputItem
from .response_input_part import ResponseInputPart
from .response_object import ResponseObject
from .response_output_message import ResponseOutputMessage
from .response_output_message_role import ResponseOutputMessageRole
from .response_output_message_status import ResponseOutputMessageStatus
from .response_output_message_type import ResponseOutputMessageType
from .response_output_text import ResponseOutputText
from .response_output_text_logprobs_item import ResponseOutputTextLogprobsItem
from .response_output_text_logprobs_item_top_logprobs_item import (
    ResponseOutputTextLogprobsItemTopLogprobsItem,
)
from .response_output_text_type import ResponseOutputTextType
from .response_request import ResponseRequest
from .response_request_chat_template_kwargs_type_0 import (
    ResponseRequestChatTemplateKwargsType0,
)
from .response_request_logit_bias_type_0 import ResponseRequestLogitBiasType0
from .response_request_metadata_type_0 import ResponseRequestMetadataType0
from .response_request_reasoning_type_0 import ResponseRequestReasoningType0
from .response_request_reasoning_type_0_effort_type_1 import (
    ResponseRequestReasoningType0EffortType1,
)
from .response_request_reasoning_type_0_effort_type_2_type_1 import (
    ResponseRequestReasoningType0EffortType2Type1,
)
from .response_request_reasoning_type_0_effort_type_3_type_1 import (
    ResponseRequestReasoningType0EffortType3Type1,
)
from .response_request_text_type_0 import ResponseRequestTextType0
from .response_request_truncation_type_1 import ResponseRequestTruncationType1
from .response_request_truncation_type_2_type_1 import (
    ResponseRequestTruncationType2Type1,
)
from .response_request_truncation_type_3_type_1 import (
    ResponseRequestTruncationType3Type1,
)
from .response_status import ResponseStatus
from .response_text_format import ResponseTextFormat
from .response_text_format_schema_type_0 import ResponseTextFormatSchemaType0
from .response_text_format_type import ResponseTextFormatType
from .response_usage import ResponseUsage
from .response_usage_input_tokens_details import ResponseUsageInputTokensDetails
from .response_usage_output_tokens_details import ResponseUsageOutputTokensDetails
from .server import Server
from .server_adapters import ServerAdapters
from .server_details import ServerDetails
from .server_event import ServerEvent
from .server_event_type import ServerEventType
from .server_info_config_format import ServerInfoConfigFormat
from .server_kind import ServerKind
from .server_list import ServerList
from .server_residency_type_0 import ServerResidencyType0
from .server_residency_type_0_bytes import ServerResidencyType0Bytes
from .server_state import ServerState
from .sleep_mode import SleepMode
from .start_sync import StartSync
from .structured_outputs import StructuredOutputs
from .structured_outputs_json_type_1 import StructuredOutputsJsonType1
from .structured_outputs_structural_tag_type_1 import (
    StructuredOutputsStructuralTagType1,
)
from .sync_error import SyncError
from .sync_event import SyncEvent
from .sync_event_type import SyncEventType
from .sync_mode import SyncMode
from .sync_phase import SyncPhase
from .sync_server import SyncServer
from .sync_server_phase import SyncServerPhase
from .sync_server_verified import SyncServerVerified
from .tier import Tier
from .tier_bytes import TierBytes
from .tokenize_chat import TokenizeChat
from .tokenize_chat_chat_template_kwargs_type_0 import (
    TokenizeChatChatTemplateKwargsType0,
)
from .tokenize_response import TokenizeResponse
from .tokenize_text import TokenizeText
from .trl_chat_request import TrlChatRequest
from .trl_chat_request_chat_template_kwargs_type_0 import (
    TrlChatRequestChatTemplateKwargsType0,
)
from .trl_chat_request_generation_kwargs_type_0 import (
    TrlChatRequestGenerationKwargsType0,
)
from .trl_chat_request_tools_type_0_item import TrlChatRequestToolsType0Item
from .trl_error import TrlError
from .trl_generate_request import TrlGenerateRequest
from .trl_generate_request_generation_kwargs_type_0 import (
    TrlGenerateRequestGenerationKwargsType0,
)
from .trl_generate_response import TrlGenerateResponse
from .trl_health import TrlHealth
from .trl_health_status import TrlHealthStatus
from .trl_init_communicator import TrlInitCommunicator
from .trl_message import TrlMessage
from .trl_named_param import TrlNamedParam
from .trl_named_params import TrlNamedParams
from .trl_sequence_logprobs_request import TrlSequenceLogprobsRequest
from .trl_sequence_logprobs_request_response_format import (
    TrlSequenceLogprobsRequestResponseFormat,
)
from .trl_sequence_logprobs_response import TrlSequenceLogprobsResponse
from .trl_tensor_parallel_size import TrlTensorParallelSize
from .trl_validation_error import TrlValidationError
from .trl_validation_error_detail_item import TrlValidationErrorDetailItem
from .upload_source import UploadSource
from .upload_source_kind import UploadSourceKind
from .usage import Usage
from .usage_prompt_tokens_details_type_0 import UsagePromptTokensDetailsType0
from .version_info import VersionInfo
from .version_info_name import VersionInfoName
from .vllm_abort_requests import VllmAbortRequests
from .vllm_aborted import VllmAborted
from .vllm_awake import VllmAwake
from .vllm_awake_servers_item import VllmAwakeServersItem
from .vllm_finish_weight_update import VllmFinishWeightUpdate
from .vllm_init_weight_transfer import VllmInitWeightTransfer
from .vllm_init_weight_transfer_init_info import VllmInitWeightTransferInitInfo
from .vllm_is_paused import VllmIsPaused
from .vllm_is_sleeping import VllmIsSleeping
from .vllm_load_lora_adapter import VllmLoadLoraAdapter
from .vllm_message import VllmMessage
from .vllm_message_servers_item import VllmMessageServersItem
from .vllm_reset_prefix_cache import VllmResetPrefixCache
from .vllm_reset_prefix_cache_servers_item import VllmResetPrefixCacheServersItem
from .vllm_server_info import VllmServerInfo
from .vllm_server_info_vllm_config_type_1 import VllmServerInfoVllmConfigType1
from .vllm_server_load import VllmServerLoad
from .vllm_sleeping import VllmSleeping
from .vllm_sleeping_servers_item import VllmSleepingServersItem
from .vllm_start_weight_update import VllmStartWeightUpdate
from .vllm_status import VllmStatus
from .vllm_status_servers_item import VllmStatusServersItem
from .vllm_unload_lora_adapter import VllmUnloadLoraAdapter
from .vllm_update_weight_version import VllmUpdateWeightVersion
from .vllm_update_weights import VllmUpdateWeights
from .vllm_update_weights_update_info_type_0 import VllmUpdateWeightsUpdateInfoType0
from .vllm_update_weights_update_info_type_1_item import (
    VllmUpdateWeightsUpdateInfoType1Item,
)
from .vllm_weight_info import VllmWeightInfo
from .vllm_weight_version_set import VllmWeightVersionSet
from .weight_file_list import WeightFileList
from .weight_file_list_files_item import WeightFileListFilesItem
from .weight_sync import WeightSync
from .weight_sync_list import WeightSyncList
from .weight_sync_state import WeightSyncState
from .weight_version_list import WeightVersionList
from .weight_version_record import WeightVersionRecord
from .world_size import WorldSize

__all__ = (
    "AttachServer",
    "AttachServerKind",
    "AuditEntry",
    "AuditList",
    "ChatChoice",
    "ChatCompletionRequest",
    "ChatCompletionRequestChatTemplateKwargsType0",
    "ChatCompletionRequestDocumentsType0Item",
    "ChatCompletionRequestKvTransferParamsType0",
    "ChatCompletionRequestLogitBiasType0",
    "ChatCompletionRequestMmProcessorKwargsType0",
    "ChatCompletionRequestReasoningEffortType1",
    "ChatCompletionRequestReasoningEffortType2Type1",
    "ChatCompletionRequestReasoningEffortType3Type1",
    "ChatCompletionRequestRepetitionDetectionType0",
    "ChatCompletionRequestStreamOptionsType0",
    "ChatCompletionRequestToolChoiceType1",
    "ChatCompletionRequestTruncationSideType1",
    "ChatCompletionRequestTruncationSideType2Type1",
    "ChatCompletionRequestTruncationSideType3Type1",
    "ChatCompletionRequestVllmXargsType0",
    "ChatCompletionResponse",
    "ChatCompletionResponseObject",
    "ChatContentPart",
    "ChatFinishReason",
    "ChatFormatRequest",
    "ChatFormatRequestFormat",
    "ChatFormatResult",
    "ChatFormatResultEmbeddingRows",
    "ChatFormatResultFormat",
    "ChatFormatResultSpecialTokens",
    "ChatFormatResultTokenIds",
    "ChatLogprobs",
    "ChatLogprobsContentType0Item",
    "ChatLogprobsContentType0ItemTopLogprobsItem",
    "ChatMessageOut",
    "ChatRequestMessage",
    "ChatRequestMessageToolCallsType0Item",
    "ChatTool",
    "ChatToolCall",
    "ChatToolCallFunction",
    "ChatToolCallType",
    "CompletionChoice",
    "CompletionLogprobs",
    "CompletionLogprobsTopLogprobsItemType0",
    "CompletionRequest",
    "CompletionRequestKvTransferParamsType0",
    "CompletionRequestLogitBiasType0",
    "CompletionRequestRepetitionDetectionType0",
    "CompletionRequestStreamOptionsType0",
    "CompletionRequestTruncationSideType1",
    "CompletionRequestTruncationSideType2Type1",
    "CompletionRequestTruncationSideType3Type1",
    "CompletionRequestVllmXargsType0",
    "CompletionResponse",
    "CompletionResponseObject",
    "CreateLease",
    "DetokenizeRequest",
    "DetokenizeResponse",
    "DiskSource",
    "DiskSourceKind",
    "DryRunResult",
    "DryRunResultServersItem",
    "Embedding",
    "EmbeddingObject",
    "EmbeddingRequest",
    "EmbeddingRequestChatTemplateKwargsType0",
    "EmbeddingRequestEmbedDtype",
    "EmbeddingRequestEncodingFormatType1",
    "EmbeddingRequestEncodingFormatType2Type1",
    "EmbeddingRequestEncodingFormatType3Type1",
    "EmbeddingRequestEndiannessType1",
    "EmbeddingRequestEndiannessType2Type1",
    "EmbeddingRequestEndiannessType3Type1",
    "EmbeddingRequestPoolingTypeType1",
    "EmbeddingRequestPoolingTypeType2Type1",
    "EmbeddingRequestPoolingTypeType3Type1",
    "EmbeddingRequestTruncationSideType1",
    "EmbeddingRequestTruncationSideType2Type1",
    "EmbeddingRequestTruncationSideType3Type1",
    "EmbeddingResponse",
    "EmbeddingResponseObject",
    "ErrorCode",
    "FinishReason",
    "Fleet",
    "FleetState",
    "FleetStateEvent",
    "FleetStateEventType",
    "GenerationLease",
    "GenerationLeaseState",
    "GetOpenApiResponse200",
    "GetWorldSizeIncludeDp",
    "HttpSource",
    "HttpSourceKind",
    "JsonSchemaFormat",
    "JsonSchemaFormatSchemaType0",
    "LeaseList",
    "Liveness",
    "LivenessStatus",
    "Model",
    "ModelList",
    "ModelListObject",
    "ModelObject",
    "ModelPermissionItem",
    "ModelResidency",
    "ModelResidencyPlan",
    "ModelResidencyPlanCompatType1",
    "ModelResidencyPlanCompatType2Type1",
    "ModelResidencyPlanCompatType3Type1",
    "ModelResidencyPlanConfig",
    "ModelResidencyPlanCorrectedType0",
    "ModelResidencyPlanCorrectedType0Config",
    "ModelResidencyPlanCorrectedType1",
    "ModelResidencyPlanCorrectedType1Error",
    "ModelResidencyPlanGroupsItem",
    "ModelResidencyPlanOriginalType0",
    "ModelResidencyPlanOriginalType0Config",
    "ModelResidencyPlanOriginalType1",
    "ModelResidencyPlanOriginalType1Error",
    "ModelResidencyPlanPluginConfig",
    "ModelResidencyPlanResidency",
    "ModelResidencyPlanResidencyDevice",
    "ModelResidencyServersItem",
    "NcclSource",
    "NcclSourceKind",
    "NotReady",
    "NotReadyServersItem",
    "OffloadPlan",
    "OffloadPlanCompatType1",
    "OffloadPlanCompatType2Type1",
    "OffloadPlanCompatType3Type1",
    "OffloadPlanConfig",
    "OffloadPlanCorrectedType0",
    "OffloadPlanCorrectedType0Config",
    "OffloadPlanCorrectedType1",
    "OffloadPlanCorrectedType1Error",
    "OffloadPlanGroupsItem",
    "OffloadPlanOriginalType0",
    "OffloadPlanOriginalType0Config",
    "OffloadPlanOriginalType1",
    "OffloadPlanOriginalType1Error",
    "OffloadPlanPluginConfig",
    "OffloadPlanRequest",
    "OffloadPlanRequestCompatType1",
    "OffloadPlanRequestCompatType2Type1",
    "OffloadPlanRequestCompatType3Type1",
    "OffloadPlanRequestDeepspeedConfig",
    "OffloadPlanRequestMixedPrecision",
    "OffloadPlanRequestModelType1",
    "OffloadPlanRequestTrainer",
    "OffloadPlanResidency",
    "OffloadPlanResidencyDevice",
    "OpenAiError",
    "OpenAiErrorError",
    "PatchServer",
    "PatchServerState",
    "PauseClearCache",
    "PauseMode",
    "PlanDirective",
    "PlanDirectiveCompatType1",
    "PlanDirectiveCompatType2Type1",
    "PlanDirectiveCompatType3Type1",
    "PlanDirectiveDeepspeedConfig",
    "PlanDirectiveMixedPrecision",
    "Problem",
    "PromptLogprob",
    "PromptLogprobsItemType0",
    "Readiness",
    "ReadinessServersItem",
    "RenewLease",
    "ResetPrefixCacheResetExternal",
    "ResetPrefixCacheResetRunningRequests",
    "ResidencyDirective",
    "ResidencyDirectiveGroups",
    "ResidencyReport",
    "ResidencyReportGroupsItem",
    "Response",
    "ResponseFormat",
    "ResponseFormatType",
    "ResponseIncompleteDetailsType0",
    "ResponseIncompleteDetailsType0Reason",
    "ResponseInputItem",
    "ResponseInputPart",
    "ResponseObject",
    "ResponseOutputMessage",
    "ResponseOutputMessageRole",
    "ResponseOutputMessageStatus",
    "ResponseOutputMessageType",
    "ResponseOutputText",
    "ResponseOutputTextLogprobsItem",
    "ResponseOutputTextLogprobsItemTopLogprobsItem",
    "ResponseOutputTextType",
    "ResponseRequest",
    "ResponseRequestChatTemplateKwargsType0",
    "ResponseRequestLogitBiasType0",
    "ResponseRequestMetadataType0",
    "ResponseRequestReasoningType0",
    "ResponseRequestReasoningType0EffortType1",
    "ResponseRequestReasoningType0EffortType2Type1",
    "ResponseRequestReasoningType0EffortType3Type1",
    "ResponseRequestTextType0",
    "ResponseRequestTruncationType1",
    "ResponseRequestTruncationType2Type1",
    "ResponseRequestTruncationType3Type1",
    "ResponseStatus",
    "ResponseTextFormat",
    "ResponseTextFormatSchemaType0",
    "ResponseTextFormatType",
    "ResponseUsage",
    "ResponseUsageInputTokensDetails",
    "ResponseUsageOutputTokensDetails",
    "Server",
    "ServerAdapters",
    "ServerDetails",
    "ServerEvent",
    "ServerEventType",
    "ServerInfoConfigFormat",
    "ServerKind",
    "ServerList",
    "ServerResidencyType0",
    "ServerResidencyType0Bytes",
    "ServerState",
    "SleepMode",
    "StartSync",
    "StructuredOutputs",
    "StructuredOutputsJsonType1",
    "StructuredOutputsStructuralTagType1",
    "SyncError",
    "SyncEvent",
    "SyncEventType",
    "SyncMode",
    "SyncPhase",
    "SyncServer",
    "SyncServerPhase",
    "SyncServerVerified",
    "Tier",
    "TierBytes",
    "TokenizeChat",
    "TokenizeChatChatTemplateKwargsType0",
    "TokenizeResponse",
    "TokenizeText",
    "TrlChatRequest",
    "TrlChatRequestChatTemplateKwargsType0",
    "TrlChatRequestGenerationKwargsType0",
    "TrlChatRequestToolsType0Item",
    "TrlError",
    "TrlGenerateRequest",
    "TrlGenerateRequestGenerationKwargsType0",
    "TrlGenerateResponse",
    "TrlHealth",
    "TrlHealthStatus",
    "TrlInitCommunicator",
    "TrlMessage",
    "TrlNamedParam",
    "TrlNamedParams",
    "TrlSequenceLogprobsRequest",
    "TrlSequenceLogprobsRequestResponseFormat",
    "TrlSequenceLogprobsResponse",
    "TrlTensorParallelSize",
    "TrlValidationError",
    "TrlValidationErrorDetailItem",
    "UploadSource",
    "UploadSourceKind",
    "Usage",
    "UsagePromptTokensDetailsType0",
    "VersionInfo",
    "VersionInfoName",
    "VllmAbortRequests",
    "VllmAborted",
    "VllmAwake",
    "VllmAwakeServersItem",
    "VllmFinishWeightUpdate",
    "VllmInitWeightTransfer",
    "VllmInitWeightTransferInitInfo",
    "VllmIsPaused",
    "VllmIsSleeping",
    "VllmLoadLoraAdapter",
    "VllmMessage",
    "VllmMessageServersItem",
    "VllmResetPrefixCache",
    "VllmResetPrefixCacheServersItem",
    "VllmServerInfo",
    "VllmServerInfoVllmConfigType1",
    "VllmServerLoad",
    "VllmSleeping",
    "VllmSleepingServersItem",
    "VllmStartWeightUpdate",
    "VllmStatus",
    "VllmStatusServersItem",
    "VllmUnloadLoraAdapter",
    "VllmUpdateWeightVersion",
    "VllmUpdateWeights",
    "VllmUpdateWeightsUpdateInfoType0",
    "VllmUpdateWeightsUpdateInfoType1Item",
    "VllmWeightInfo",
    "VllmWeightVersionSet",
    "WeightFileList",
    "WeightFileListFilesItem",
    "WeightSync",
    "WeightSyncList",
    "WeightSyncState",
    "WeightVersionList",
    "WeightVersionRecord",
    "WorldSize",
)
