/** The TypeScript library: `import { … } from "tidegate"`. */
export { type App, createApp } from "./app.ts";
export { type ChatFormatOptions, setupChatFormat } from "./checkpoint/chat-format.ts";
export type { Pretrained, PretrainedModel, PretrainedTokenizer } from "./checkpoint/pretrained.ts";
export type { SavedCheckpoint } from "./checkpoint/save.ts";
export type { BroadcastOptions, CommunicatorOptions } from "./client/communicator.ts";
export { ConnectionError, ServerError, WeightSyncError } from "./client/errors.ts";
export type { ClientSamplingParams } from "./client/sampling.ts";
export type { NamedTensor } from "./client/tensors.ts";
export type { SyncOptions, SyncResult, WeightsInput } from "./client/update.ts";
export { type Completion, VLLMClient, type VLLMClientOptions } from "./client/vllm-client.ts";
export type { BroadcastResult, CheckpointInput } from "./client/weight-group.ts";
export { type Config, parseConfig } from "./config.ts";
export { GatewayError } from "./errors.ts";
export { createGateway } from "./gateway.ts";
export type { Gateway } from "./gateway-types.ts";
export { wrapAsList } from "./lib/wrap-as-list.ts";
export { openCheckpoint, saveCheckpoint } from "./platform/checkpoints.ts";
export type { Ports } from "./ports.ts";
