/** What rendering an OpenAI answer must remember of its request. Types only. */

import type { ToolPlan, ToolSettings } from "./tool-calls/plan.ts";

/** What parsing needs to know besides the body. */
export interface ParseContext {
  readonly requestId: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly maxTokensPerRequest: number;
  /** Candidates per output token that the operator allows; -1 = all; default: OUTPUT_LOGPROBS_LIMIT. */
  readonly maxLogprobs?: number | undefined;
  /** Answers carry token ids also where the request does not say: they have no text. */
  readonly tokenIds?: boolean;
  /** May a request bring its own chat template? Default false. */
  readonly trustRequestChatTemplate?: boolean;
  /** How tool calls are read; default: not at all. */
  readonly tools?: ToolSettings;
}

export interface RenderOptions {
  /** `cmpl-…` or `chatcmpl-…`. */
  readonly id: string;
  readonly created: number;
  readonly prompts: number;
  readonly samples: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly tokenIds: boolean;
  readonly tokensAsIds: boolean;
  /** Candidates per token, Infinity = all; undefined = no logprobs. */
  readonly logprobs: number | undefined;
  readonly promptLogprobs: boolean;
  /** Completions: the prompt comes before the output. */
  readonly echo: boolean;
  /** Completions with `echo` and `max_tokens: 0`: the one token that was made is not shown. */
  readonly hideOutput: boolean;
  /** Chat: how tool calls are read; absent = the text is the content. */
  readonly toolPlan?: ToolPlan;
  /** Chat: role of the answer. */
  readonly role: string;
}
