/** What a client and its calls are told. */
import type { ServerKind } from "./detect.ts";
import type { ClientMessage, ToolChoice } from "./message.ts";
import type { RetryEvent } from "./retry.ts";
import type { ClientSamplingParams } from "./sampling.ts";
import type { Detokenize } from "./trl-dialect.ts";

/** How `new VLLMClient` finds its server and how patient it is. */
export interface VLLMClientOptions {
  /** Default "127.0.0.1". Ignored when `baseUrl` is given. */
  readonly host?: string;
  /** Default 8000. Ignored when `baseUrl` is given. */
  readonly port?: number;
  /** Such as "https://gateway.example:8443". A path is kept. */
  readonly baseUrl?: string;
  /** Only "http": weights over NCCL are chosen by `initCommunicator`, not per client. */
  readonly serverType?: "http";
  /** What stands there; default "auto": the first call that needs to know asks. */
  readonly dialect?: "auto" | ServerKind;
  /** Default: the first of `/v1/models`, as in TRL. */
  readonly model?: string;
  readonly apiKey?: string;
  /** Seconds one generation or scoring may take, repeats included; default 3600. */
  readonly requestTimeout?: number;
  /** Seconds for small calls such as `resetPrefixCache`; default 60. */
  readonly controlTimeout?: number;
  /** Repeats of one call at most, where a repeat is safe; default 3. */
  readonly retries?: number;
  /** Told before each repeat, with its reason. */
  readonly onRetry?: (event: RetryEvent) => void;
  /** Token ids → text. A legacy TRL server answers in ids only; without this `generate` and `chat` refuse it. */
  readonly detokenize?: Detokenize;
  /** Default: the runtime's own, without its time limits. */
  readonly fetch?: typeof globalThis.fetch;
}

/** What a chat may have beside sampling. */
export interface ChatOptions {
  /** JSON schemas of tools, rendered into the prompt. */
  readonly tools?: readonly unknown[] | null;
  /**
   * Default "none": calls are left in the text, as in TRL. With another one the server takes them out of it: `toolCalls` of
   * `chatDetailed`. TRL's own server cannot.
   */
  readonly toolChoice?: ToolChoice | null;
  /** Instead of the model's own. */
  readonly chatTemplate?: string | null;
  readonly chatTemplateKwargs?: Readonly<Record<string, unknown>> | null;
  /** Conversations in flight; default 64. */
  readonly maxConcurrentRequests?: number;
  readonly signal?: AbortSignal;
}

/** One conversation or many. */
export type Conversations = readonly ClientMessage[] | readonly (readonly ClientMessage[])[];

/** Sampling and the chat's own fields, which TRL takes side by side. */
export type ChatSampling = ClientSamplingParams & Omit<ChatOptions, "signal" | "maxConcurrentRequests">;
