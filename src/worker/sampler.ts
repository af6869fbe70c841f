/**
 * From a row of logits to a token: processors, then greedy or temperature, filters and one draw, as vLLM 0.32's V1
 * sampler defines them. Log probabilities are of the processed distribution: what the token was really drawn from.
 */
import type { RawLogprobs, ResolvedSampling } from "./batch-types.ts";
import { applyFilters, GREEDY_TEMPERATURE } from "./filters.ts";
import { toRawLogprobs } from "./logprobs.ts";
import { applyProcessors, hasProcessors, type TokenHistory } from "./processors.ts";
import { drawUniform } from "./random.ts";
import { argmax } from "./select.ts";

export interface Sampled {
  readonly tokenId: number;
  /** null when the request wants none. */
  readonly logprobs: RawLogprobs | null;
}

/** Inverse of the cumulative distribution at `uniform`; every candidate is finite or −Infinity. */
function drawToken(logits: Float32Array, uniform: number): number {
  const best = argmax(logits);
  const max = logits[best]!;
  let total = 0;
  for (let index = 0; index < logits.length; index++) {
    const value = logits[index]!;
    if (value > Number.NEGATIVE_INFINITY) total += Math.exp(value - max);
  }
  let left = uniform * total;
  let last = best;
  for (let index = 0; index < logits.length; index++) {
    const value = logits[index]!;
    if (!(value > Number.NEGATIVE_INFINITY)) continue;
    const weight = Math.exp(value - max);
    if (weight === 0) continue;
    last = index;
    left -= weight;
    if (left < 0) return index;
  }
  // Rounding left a crumb of the mass over: it belongs to the last candidate.
  return last;
}

/**
 * Chooses the next token of a sequence.
 *
 * @param logits one row, [vocabulary]; changed in place
 * @param sample which of the request's samples; with the seed and the number of output tokens it fixes the draw
 * @returns null when no token has a finite logit: every one is masked, or the weights overflow
 */
export function sampleToken(
  logits: Float32Array,
  sampling: ResolvedSampling,
  history: TokenHistory,
  sample: number,
): Sampled | null {
  if (hasProcessors(sampling)) applyProcessors(logits, sampling, history);
  let tokenId = argmax(logits);
  if (tokenId < 0) return null;
  if (sampling.temperature >= GREEDY_TEMPERATURE) {
    applyFilters(logits, sampling);
    tokenId = drawToken(logits, drawUniform(sampling.seed, sample, history.outputIds.length));
  }
  const logprobs = sampling.logprobs < 0 ? null : toRawLogprobs(logits, tokenId, sampling.logprobs);
  return { tokenId, logprobs };
}
