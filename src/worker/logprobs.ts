/** Log probabilities of one row of logits: of a token, its rank and the best others. Reads only. */
import type { RawLogprobs } from "./batch-types.ts";
import { sumExp } from "./exp-sum.ts";
import { largestIndices } from "./select.ts";

/** log Σ exp(x), in double precision; −Infinity where nothing is finite. */
export function logSumExp(logits: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < logits.length; index++) if (logits[index]! > max) max = logits[index]!;
  if (max === Number.NEGATIVE_INFINITY) return max;
  return max + Math.log(sumExp(logits, max));
}

/**
 * @param top how many best candidates to name (0 = none)
 * @param normalizer `logSumExp(logits)`, where it is known already
 * @returns rank is 1 plus the number of strictly more probable tokens; masked candidates have logprob −Infinity
 */
export function toRawLogprobs(
  logits: Float32Array,
  tokenId: number,
  top: number,
  normalizer = logSumExp(logits),
): RawLogprobs {
  const own = logits[tokenId]!;
  let rank = 1;
  for (let index = 0; index < logits.length; index++) if (logits[index]! > own) rank++;
  const topIds = largestIndices(logits, top);
  const topLogprobs = Float32Array.from(topIds, (id) => logits[id]! - normalizer);
  return { tokenId, logprob: own - normalizer, rank, topIds, topLogprobs };
}
