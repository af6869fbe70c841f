/**
 * From a row of logits to a token: processors, then greedy or temperature, filters and one draw, as vLLM 0.32's V1
 * sampler defines them. Log probabilities are of the processed distribution, what the token was really drawn from, or
 * with `rawLogprobs` of the row as it came.
 */
import type { RawLogprobs, ResolvedSampling } from "./batch-types.ts";
import { chooseSurvivors, GREEDY_TEMPERATURE, type Survivors, writeSurvivors } from "./filters.ts";
import { toRawLogprobs } from "./logprobs.ts";
import { applyProcessors, hasProcessors, type TokenHistory } from "./processors.ts";
import { drawUniform } from "./random.ts";
import { argmax } from "./select.ts";

export interface Sampled {
  readonly tokenId: number;
  /** null when the request wants none. */
  readonly logprobs: RawLogprobs | null;
}

/** Inverse of the cumulative distribution at `uniform`. */
function drawToken({ count, ids, weights, total }: Survivors, uniform: number, best: number): number {
  let left = uniform * total;
  // Rounding may leave a crumb of the mass over: it belongs to the last candidate.
  let last = -1;
  for (let at = 0; at < count; at++) {
    const weight = weights[at]!;
    if (weight === 0) continue;
    last = at;
    left -= weight;
    if (left < 0) break;
  }
  if (last < 0) return best;
  return ids === null ? last : ids[last]!;
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
  const survivors = chooseSurvivors(logits, sampling, best);
  const tokenId = drawToken(survivors, drawUniform(sampling.seed, sample, history.outputIds.length), best);
  if (!wanted) return { tokenId, logprobs: null };
  if (raw !== null) return { tokenId, logprobs: toRawLogprobs(raw, tokenId, sampling.logprobs) };
  writeSurvivors(survivors, logits);
  const normalizer = survivors.max + Math.log(survivors.total);
  return { tokenId, logprobs: toRawLogprobs(logits, tokenId, sampling.logprobs, normalizer) };
}
