/** Answers of `/generate/` and `/chat/` as TRL's server gives them. NaN and infinities become null there. */
import type { PositionLogprobs, TokenLogprob } from "../../contract/generation.ts";
import type { CollectedAnswer } from "../collect.ts";
import type { ParsedTrl } from "./to-request.ts";

/** JSON has no NaN; TRL's server writes null since 1.0. */
export const toNullable = (logprob: number): number | null => (Number.isFinite(logprob) ? logprob : null);

/** All candidates of a position by rank; the chosen one is among them, so there can be k + 1. */
export function byRank(position: PositionLogprobs): readonly TokenLogprob[] {
  const others = position.top.filter((other) => other.tokenId !== position.tokenId);
  return [position, ...others].sort((left, right) => left.rank - right.rank);
}

export interface TrlGenerateBody {
  prompt_ids: number[][];
  completion_ids: number[][];
  logprobs: (number | null)[][][] | (number | null)[][] | null;
  logprob_token_ids: number[][][] | null;
}

/** What an empty list of prompts gets. */
export const EMPTY_ANSWER: TrlGenerateBody = {
  prompt_ids: [],
  completion_ids: [],
  logprobs: [],
  logprob_token_ids: [],
};

/** Prompt ids once per prompt, completions prompt-major, logprobs per completion and position. */
export function renderTrl(answer: CollectedAnswer, parsed: ParsedTrl): TrlGenerateBody {
  const { samples } = answer;
  const ids = {
    prompt_ids: answer.prompts.map((prompt) => [...prompt.tokenIds]),
    completion_ids: samples.map((sample) => sample.tokenIds),
  };
  if (parsed.logprobs === undefined) return { ...ids, logprobs: null, logprob_token_ids: null };
  const ranked = samples.map((sample) => sample.logprobs.map((position) => byRank(position)));
  return {
    ...ids,
    logprobs: parsed.flatLogprobs
      ? samples.map((sample) => sample.logprobs.map((position) => toNullable(position.logprob)))
      : ranked.map((positions) => positions.map((entries) => entries.map((entry) => toNullable(entry.logprob)))),
    logprob_token_ids: ranked.map((positions) => positions.map((entries) => entries.map((entry) => entry.tokenId))),
  };
}
