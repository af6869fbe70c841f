/**
 * The neutral model of generation: what every dialect is translated to when it must be understood, and what the
 * embedded engine takes and gives. Field names are camelCase inside the program; the wires keep their own spelling.
 */
import type { WeightDigest, WeightVersion } from "./ids.ts";
import type { SamplingParams } from "./sampling.ts";

/** One message of a conversation, as chat templates see it (unknown keys are kept for the template). */
export type ChatMessage = { readonly role: string; readonly content?: unknown } & Readonly<Record<string, unknown>>;

/** What to continue: a text, token ids, or a conversation that the model's chat template turns into text. */
export type Prompt =
  | { readonly kind: "text"; readonly text: string; readonly addSpecialTokens: boolean }
  | { readonly kind: "tokens"; readonly ids: readonly number[] }
  | {
      readonly kind: "chat";
      readonly messages: readonly ChatMessage[];
      readonly tools: readonly unknown[] | null;
      readonly addGenerationPrompt: boolean;
      readonly continueFinalMessage: boolean;
      readonly templateKwargs: Readonly<Record<string, unknown>>;
      /** Shown to the template as `documents`. */
      readonly documents?: readonly unknown[];
      /** A template's text, or a name in the model's set of templates; absent = the model's own choice. */
      readonly chatTemplate?: string;
      /**
       * JSON text of `{messages, tools, documents, templateKwargs}`, present where it holds numbers that a JavaScript
       * number cannot tell apart (`1.0`, integers beyond 2^53): what templates print is read from here then.
       */
      readonly exact?: string;
      /** false for chat: the template itself writes the special tokens. */
      readonly addSpecialTokens: boolean;
    };

/** One vector for a whole prompt, made of its hidden states after the final norm: the last token's, or the mean of all. */
export type PoolingType = "last" | "mean";

/** What an embedding is to be; in place of output tokens. */
export interface Pooling {
  readonly type: PoolingType;
  /** Scale to length 1. */
  readonly normalize: boolean;
  /** Only the first so many numbers, before they are scaled; for Matryoshka models. undefined = all. */
  readonly dimensions?: number;
}

/** How many tokens of a prompt are kept, and which. */
export interface Truncation {
  /** -1 = as many as the context takes. */
  readonly tokens: number;
  /** The side that is cut off. Default: left, of what is embedded right; special tokens at both ends then stay. */
  readonly side?: "left" | "right";
}

export interface GenerateRequest {
  /** Goes to the log and to the upstream; unique per call. */
  readonly requestId: string;
  readonly prompts: readonly Prompt[];
  readonly sampling: SamplingParams;
  /** The prompt's own tokens come before the output in text and logprobs (completions' `echo`). */
  readonly echo: boolean;
  /** Embed the prompts, generate nothing: each prompt gets one `embedding` event and one `finish`. */
  readonly pooling?: Pooling;
  /** Shares cached prefixes with requests of the same salt only; absent: with those that have none. */
  readonly cacheSalt?: string;
  /** Cut prompts that are longer; absent = refuse them. */
  readonly truncate?: Truncation;
}

/** One candidate at one position. `rank` is 1 for the most probable token. */
export interface TokenLogprob {
  readonly tokenId: number;
  /** The token's own text; may be empty or hold U+FFFD where it is part of a longer UTF-8 sequence. */
  readonly token: string;
  /** The token's own bytes. */
  readonly bytes: readonly number[];
  /** Natural logarithm; -Infinity where masked. */
  readonly logprob: number;
  readonly rank: number;
}

/** The chosen token and the best `k` others (sorted by rank; may or may not contain the chosen one). */
export interface PositionLogprobs extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
}

export type FinishReason = "stop" | "length" | "abort";

/**
 * What a generation says, in order: one `start`, then per prompt one `prompt`, then `delta`s and one `finish` per
 * sample in any interleaving, then one `end`. An error is thrown by the iterator instead.
 */
export type GenerateEvent =
  | { readonly type: "start"; readonly weightVersion: WeightVersion; readonly weightDigest: WeightDigest | null }
  | {
      readonly type: "prompt";
      readonly prompt: number;
      readonly tokenIds: readonly number[];
      /** Tokens of it found in the prefix cache. */
      readonly cachedTokens: number;
      /** The prompt's text: as sent, or the rendered template. null for token-id prompts. */
      readonly text: string | null;
      /** One entry per prompt token; the first is null. Present when `promptLogprobs` was asked for. */
      readonly logprobs?: readonly (PositionLogprobs | null)[];
    }
  | {
      readonly type: "delta";
      readonly prompt: number;
      readonly sample: number;
      /** New text; may be empty while a UTF-8 sequence or a possible stop string is incomplete. */
      readonly text: string;
      readonly tokenIds: readonly number[];
      /** One entry per token id. Present when `logprobs` was asked for. */
      readonly logprobs?: readonly PositionLogprobs[];
      /** The sample's `finish` comes at once; a stream may say both in one piece. */
      readonly last?: true;
    }
  /** Of a request with `pooling`, in place of deltas. */
  | { readonly type: "embedding"; readonly prompt: number; readonly values: Float32Array }
  | {
      readonly type: "finish";
      readonly prompt: number;
      readonly sample: number;
      readonly reason: FinishReason;
      /** The stop string or stop token id that ended it; null for eos, length and abort. */
      readonly stopReason: string | number | null;
    }
  | {
      readonly type: "end";
      /** First and last weight version that made tokens of this answer; equal unless a `keep` switch came between. */
      readonly firstVersion: WeightVersion;
      readonly lastVersion: WeightVersion;
    };
