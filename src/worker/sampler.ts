/**
 * From a row of logits to a token: processors, then greedy or temperature, filters and one draw, as vLLM 0.32's V1
 * sampler defines them. Log probabilities are of the processed distribution, what the token was really drawn from, or
 * with `rawLogprobs` of the row as it came.
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

/** exp(logit − max) of the row being drawn from; grows to the vocabulary once. */
let weights = new Float64Array();

interface Drawn {
  readonly tokenId: number;
  /** log Σ exp(logit). */
  readonly normalizer: number;
}

/** Inverse of the cumulative distribution at `uniform`; at least one logit is finite. */
function drawToken(logits: Float32Array, uniform: number): Drawn {
  if (weights.length < logits.length) weights = new Float64Array(logits.length);
  const max = logits[argmax(logits)]!;
  let total = 0;
  for (let index = 0; index < logits.length; index++) {
    const value = logits[index]!;
    const weight = value > Number.NEGATIVE_INFINITY ? Math.exp(value - max) : 0;
    weights[index] = weight;
    total += weight;
  }
  const normalizer = max + Math.log(total);
  let left = uniform * total;
  let last = 0;
  for (let index = 0; index < logits.length; index++) {
    const weight = weights[index]!;
    if (weight === 0) continue;
    last = index;
    left -= weight;
    if (left < 0) return { tokenId: index, normalizer };
  }
  // Rounding left a crumb of the mass over: it belongs to the last candidate.
  return { tokenId: last, normalizer };
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
  const wanted = sampling.logprobs >= 0;
  const raw = wanted && sampling.rawLogprobs === true ? logits.slice() : null;
  if (hasProcessors(sampling)) applyProcessors(logits, sampling, history);
  const best = argmax(logits);
  if (best < 0) return null;
  if (sampling.temperature < GREEDY_TEMPERATURE) {
    return { tokenId: best, logprobs: wanted ? toRawLogprobs(raw ?? logits, best, sampling.logprobs) : null };
  }
  applyFilters(logits, sampling);
  const { tokenId, normalizer } = drawToken(logits, drawUniform(sampling.seed, sample, history.outputIds.length));
  if (!wanted) return { tokenId, logprobs: null };
  if (raw !== null) return { tokenId, logprobs: toRawLogprobs(raw, tokenId, sampling.logprobs) };
  return { tokenId, logprobs: toRawLogprobs(logits, tokenId, sampling.logprobs, normalizer) };
}
