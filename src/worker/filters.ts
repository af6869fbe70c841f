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

/** Nearer to the cut than this, the definition itself decides. */
const MIN_P_MARGIN = 1e-6;

/** A token survives when its probability is at least minP times the largest; equal ones survive even at minP = 1. */
function applyMinP(logits: Float32Array, minP: number): void {
  const max = largest(logits);
  const cut = Math.log(minP);
  for (let index = 0; index < logits.length; index++) {
    const below = logits[index]! - max;
    if (below > cut + MIN_P_MARGIN) continue;
    if (below < cut - MIN_P_MARGIN || Math.exp(below) < minP) logits[index] = MASKED;
  }
}

/** Keeps every value not below the k-th largest: ties at the cut all survive. */
function applyTopK(logits: Float32Array, topK: number): void {
  if (topK >= logits.length) return;
  const cut = kthLargest(logits, topK);
  for (let index = 0; index < logits.length; index++) if (logits[index]! < cut) logits[index] = MASKED;
}

/** Buckets by distance from the largest logit, and how far they reach: beyond, e^−32 of the mass is left. */
const BUCKETS = 4096;
const REACH = 32;
const masses = new Float64Array(BUCKETS + 1);

const toBucket = (below: number) => Math.min(BUCKETS, Math.floor((below * BUCKETS) / REACH));

/**
 * Keeps the most probable tokens until their mass reaches topP; the first always stays. Equal values at the cut: the
 * higher ids stay (vLLM sorts ascending and removes from the front). Sorts only the one bucket that the cut falls in.
 */
function applyTopP(logits: Float32Array, topP: number): void {
  const max = largest(logits);
  masses.fill(0);
  let total = 0;
  for (let index = 0; index < logits.length; index++) {
    const value = logits[index]!;
    if (!(value > MASKED)) continue;
    const mass = Math.exp(value - max);
    masses[toBucket(max - value)]! += mass;
    total += mass;
  }
  let cut = 0;
  let before = 0;
  while (cut < BUCKETS && (before + masses[cut]!) / total < topP) before += masses[cut++]!;
  const candidates: number[] = [];
  for (let index = 0; index < logits.length; index++) {
    const value = logits[index]!;
    if (!(value > MASKED)) continue;
    const bucket = toBucket(max - value);
    if (bucket === cut) candidates.push(index);
    else if (bucket > cut) logits[index] = MASKED;
  }
  candidates.sort((a, b) => logits[b]! - logits[a]! || b - a);
  for (const index of candidates) {
    const mass = Math.exp(logits[index]! - max);
    if (before > 0 && before / total >= topP) logits[index] = MASKED;
    before += mass;
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
