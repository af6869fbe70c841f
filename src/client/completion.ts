/** One sample as every dialect gives it, and the batch form that trainers know from TRL. */

/** One candidate of a position. */
export interface ClientCandidate {
  readonly tokenId: number;
  /** null where the server gave NaN. */
  readonly logprob: number | null;
}

/** A tool that the model called. */
export interface ToolCall {
  /** null where the server gives none. */
  readonly id: string | null;
  readonly name: string;
  /** JSON text as the model wrote it: check it before you use it. */
  readonly arguments: string;
}

/** One sample with all that the server tells of it. */
export interface Completion {
  /** null only from a legacy TRL server, which answers in token ids, when the client has no `detokenize`. */
  readonly text: string | null;
  /** What the server took out of a chat's text; empty unless `toolChoice` asked for it. */
  readonly toolCalls: readonly ToolCall[];
  /** Empty where the server does not tell (TRL before 0.24, texts as prompts). */
  readonly promptTokenIds: readonly number[];
  readonly tokenIds: readonly number[];
  /** Of the sampled tokens, one per token, null where the server gave none. null when `logprobs: null` was asked for. */
  readonly logprobs: readonly (number | null)[] | null;
  /** Per token the candidates by falling probability, the sampled one always among them; up to `logprobs` + 1. */
  readonly topLogprobs: readonly (readonly ClientCandidate[])[] | null;
  /** `stop`, `length`, `abort`, …; null where the server does not tell. */
  readonly finishReason: string | null;
  /** `x-weight-version` of the answer: an integer, "a-b" when it crossed a switch, null from a server that is no Tidegate. */
  readonly weightVersion: string | null;
  readonly weightDigest: string | null;
}

/** The four lists of TRL's Python client, with its shapes. */
export interface RolloutBatch {
  /** One per prompt, not per completion. */
  readonly promptIds: readonly (readonly number[])[];
  /** Prompt-major: the n completions of a prompt in a row. */
  readonly completionIds: readonly (readonly number[])[];
  /** [completion][token][candidate], by falling probability; null without logprobs. */
  readonly logprobs: readonly (readonly (readonly (number | null)[])[])[] | null;
  /** Same shape. */
  readonly logprobTokenIds: readonly (readonly (readonly number[])[])[] | null;
}

/**
 * What TRL's `VLLMClient.generate` returns: `{prompt_ids, completion_ids, logprobs, logprob_token_ids}`.
 *
 * @param completions as `generateDetailed` and `chatDetailed` give them
 * @param n samples per prompt of that call; default 1
 *
 * @example
 * ```ts
 * import { toRolloutBatch } from "./completion.ts";
 * const one = { text: "a", toolCalls: [], promptTokenIds: [5], tokenIds: [7], logprobs: [-0.5], topLogprobs: [[{ tokenId: 7, logprob: -0.5 }]], finishReason: "stop", weightVersion: "3", weightDigest: null };
 * const batch = toRolloutBatch([one, one], 2);
 * if (JSON.stringify(batch.promptIds) !== "[[5]]" || JSON.stringify(batch.logprobs) !== "[[[-0.5]],[[-0.5]]]") throw new Error("other shapes");
 * ```
 */
export function toRolloutBatch(completions: readonly Completion[], n = 1): RolloutBatch {
  const scored = completions.every(({ topLogprobs }) => topLogprobs !== null);
  const lists = <T>(pick: (candidate: ClientCandidate) => T): T[][][] =>
    completions.map(({ topLogprobs }) => (topLogprobs ?? []).map((position) => position.map(pick)));
  return {
    promptIds: completions.filter((_, index) => index % n === 0).map(({ promptTokenIds }) => promptTokenIds),
    completionIds: completions.map(({ tokenIds }) => tokenIds),
    logprobs: scored ? lists(({ logprob }) => logprob) : null,
    logprobTokenIds: scored ? lists(({ tokenId }) => tokenId) : null,
  };
}
