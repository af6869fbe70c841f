/**
 * The client alone: `import { VLLMClient } from "tidegate/client"`. Reaches no module of a runtime, so that it also runs in a
 * browser and at the edge; a test walks what it imports.
 */
export { wrapAsList } from "../lib/wrap-as-list.ts";
export { type Completion, type RolloutBatch, type ToolCall, toRolloutBatch } from "./completion.ts";
export type { ServerFacts, ServerKind } from "./detect.ts";
export { EdgeClient as VLLMClient } from "./edge-client.ts";
export { ConnectionError, ServerError, WeightSyncError } from "./errors.ts";
export type { ClientMessage, ToolChoice } from "./message.ts";
export type { ChatOptions, VLLMClientOptions } from "./options.ts";
export type { RetryEvent } from "./retry.ts";
export type { ClientSamplingParams } from "./sampling.ts";
export type { SequenceLogprobs, SequenceLogprobsOptions } from "./sequence-logprobs.ts";
export type { NamedTensor } from "./tensors.ts";
export type { SyncOptions, SyncResult, WeightsInput } from "./update.ts";
