/** Sampling parameters as users write them: TRL's and vLLM's snake_case or camelCase, one spelling on the wire. */

/** Values for one `generate` call. Both spellings of a name are accepted; what is left out is the server's default. */
export interface ClientSamplingParams {
  /** Samples per prompt; default 1. */
  readonly n?: number;
  /** 0 = greedy; default 1. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  /** New tokens per sample; default 16, as in TRL. */
  readonly maxTokens?: number;
  readonly minTokens?: number;
  readonly seed?: number;
  readonly stop?: string | readonly string[];
  readonly stopTokenIds?: readonly number[];
  readonly ignoreEos?: boolean;
  /** Candidates per output token; 0 = the sampled one only. */
  readonly logprobs?: number;
  /** Any other field of vLLM's, in its own spelling. */
  readonly [snakeCase: string]: unknown;
}

/** `topP` → `top_p`; a name that is snake_case already stays. */
export const toSnakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The request fields. When both spellings of a name are given the later one counts. `top_k: null` becomes off (-1), `min_p: null` 0. */
export function toWireSampling(sampling: ClientSamplingParams): Record<string, unknown> {
  const wire: Record<string, unknown> = { max_tokens: 16 };
  for (const [name, value] of Object.entries(sampling)) {
    if (value !== undefined) wire[toSnakeCase(name)] = value;
  }
  if (wire.top_k === null) wire.top_k = -1;
  if (wire.min_p === null) wire.min_p = 0;
  return wire;
}
