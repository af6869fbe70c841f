/**
 * Temperature, min_p, top_k and top_p, in that order (vLLM's V1 sampler runs min_p before top_k and top_p). Removed
 * tokens become −Infinity in place; what survives is renormalised by whoever reads it.
 */
import type { ResolvedSampling } from "./batch-types.ts";
import { kthLargest } from "./select.ts";

const MASKED = Number.NEGATIVE_INFINITY;

/** Below this a positive temperature is raised to it, as vLLM does, instead of overflowing. */
export const MIN_TEMPERATURE = 0.01;

/** Below this it is greedy. */
export const GREEDY_TEMPERATURE = 1e-5;

function largest(values: Float32Array): number {
  let best = MASKED;
  for (let index = 0; index < values.length; index++) if (values[index]! > best) best = values[index]!;
  return best;
}

/** A token survives when its probability is at least minP times the largest: a cut of the logits, no softmax needed. */
function applyMinP(logits: Float32Array, minP: number): void {
  // exp(x − max) < minP, in double precision as the definition; equal values survive even at minP = 1.
  const max = largest(logits);
  for (let index = 0; index < logits.length; index++) {
    if (Math.exp(logits[index]! - max) < minP) logits[index] = MASKED;
  }
}

/** Keeps every value not below the k-th largest: ties at the cut all survive. */
function applyTopK(logits: Float32Array, topK: number): void {
  if (topK >= logits.length) return;
  const cut = kthLargest(logits, topK);
  for (let index = 0; index < logits.length; index++) if (logits[index]! < cut) logits[index] = MASKED;
}

/** How much further down the probabilities each look reaches: e^−7 is about a thousandth. */
const TOP_P_REACH = 7;

/**
 * Keeps the most probable tokens until their mass reaches topP; the first always stays. Equal values at the cut: the
 * higher ids stay (vLLM sorts ascending and removes from the front). Sorts only what can matter.
 */
function applyTopP(logits: Float32Array, topP: number): void {
  const max = largest(logits);
  let total = 0;
  for (let index = 0; index < logits.length; index++) total += Math.exp(logits[index]! - max);
  for (let reach = TOP_P_REACH; ; reach *= 2) {
    const candidates: number[] = [];
    let mass = 0;
    for (let index = 0; index < logits.length; index++) {
      const value = logits[index]!;
      if (value - max < -reach || value === MASKED) continue;
      candidates.push(index);
      mass += Math.exp(value - max);
    }
    // Underflow ends the search: nothing below e^−745 has a mass at all.
    if (mass / total < topP && reach < 745) continue;
    candidates.sort((a, b) => logits[b]! - logits[a]! || b - a);
    const kept: [number, number][] = [];
    let before = 0;
    for (const index of candidates) {
      if (kept.length > 0 && before / total >= topP) break;
      kept.push([index, logits[index]!]);
      before += Math.exp(logits[index]! - max);
    }
    logits.fill(MASKED);
    for (const [index, value] of kept) logits[index] = value;
    return;
  }
}

/** @param logits one row after processors, with at least one finite value; changed in place */
export function applyFilters(logits: Float32Array, sampling: ResolvedSampling): void {
  const temperature = Math.max(sampling.temperature, MIN_TEMPERATURE);
  if (temperature !== 1) for (let index = 0; index < logits.length; index++) logits[index]! /= temperature;
  if (sampling.minP > 0) applyMinP(logits, sampling.minP);
  if (sampling.topK > 0) applyTopK(logits, sampling.topK);
  if (sampling.topP < 1) applyTopP(logits, sampling.topP);
}
