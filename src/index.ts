/** The TypeScript library: `import { … } from "tidegate"`. */
export { type App, createApp } from "./app.ts";
export {
  type AppliedChatTemplate,
  type ApplyChatTemplateOptions,
  applyChatTemplate,
  decodeIds,
  encodeText,
  type TemplateMessage,
} from "./checkpoint/apply-chat-template.ts";
export { type ChatFormatOptions, setupChatFormat } from "./checkpoint/chat-format.ts";
export type { Pretrained, PretrainedModel, PretrainedTokenizer } from "./checkpoint/pretrained.ts";
export type { SavedCheckpoint } from "./checkpoint/save.ts";
export type { BroadcastOptions, CommunicatorOptions } from "./client/communicator-types.ts";
export {
  type ChatOptions,
  type ClientMessage,
  type ClientSamplingParams,
  type Completion,
  ConnectionError,
  type NamedTensor,
  type RetryEvent,
  type RolloutBatch,
  type SequenceLogprobs,
  type SequenceLogprobsOptions,
  ServerError,
  type ServerFacts,
  type ServerKind,
  type SyncOptions,
  type SyncResult,
  type ToolCall,
  type ToolChoice,
  toRolloutBatch,
  type VLLMClientOptions,
  WeightSyncError,
  type WeightsInput,
  wrapAsList,
} from "./client/mod.ts";
export {
  type ConfiguredModel,
  type OffloadableModel,
  type OffloadedModel,
  type PrepareOptions,
  prepareDeepspeed,
} from "./client/prepare-deepspeed.ts";
export { connectModel, type ServedModel } from "./client/served-model.ts";
export { type UnwrapOptions, type UnwrappedModel, unwrapModelForGeneration } from "./client/unwrap-model.ts";
export { VLLMClient } from "./client/vllm-client.ts";
export type { BroadcastResult, CheckpointInput } from "./client/weight-group.ts";
export { type Config, parseConfig } from "./config.ts";
export { GatewayError } from "./errors.ts";
export { createGateway } from "./gateway.ts";
export type { Gateway } from "./gateway-types.ts";
export {
  type Accelerator,
  createAccelerator,
  type DeepspeedPlugin,
  type DeepspeedPluginArguments,
  toPluginConfig,
} from "./offload/accelerator.ts";
export { openAccelerator, openCheckpoint, saveCheckpoint } from "./platform/checkpoints.ts";
export type { Ports } from "./ports.ts";
