/**
 * Temperature, min_p, top_k and top_p, in that order (vLLM's V1 sampler runs min_p before top_k and top_p). What survives
 * is gathered into short lists; a row is read in whole as seldom as its settings allow. Nothing is allocated per row.
 */
import type { ResolvedSampling } from "./batch-types.ts";
import { writeExp } from "./exp-sum.ts";
import { argmax, kthLargest } from "./select.ts";

const MASKED = Number.NEGATIVE_INFINITY;

/** Below this a positive temperature is raised to it, as vLLM does, instead of overflowing. */
export const MIN_TEMPERATURE = 0.01;

/** Below this it is greedy. */
export const GREEDY_TEMPERATURE = 1e-5;

/** Tokens that are left of a row, in the order of their ids; reused by the next row. */
export interface Survivors {
  count: number;
  /** null: all of the vocabulary, `values` is the row itself. */
  ids: Int32Array | null;
  /** Logits over temperature. */
  values: Float32Array;
  /** e^(value − the largest value); of tokens without a finite logit 0. */
  weights: Float64Array;
  /** Sum of the weights. */
  total: number;
  /** The largest value. */
  max: number;
}

const scratch = { ids: new Int32Array(), values: new Float32Array(), weights: new Float64Array() };
const survivors: Survivors = {
  count: 0,
  ids: null,
  values: scratch.values,
  weights: scratch.weights,
  total: 0,
  max: 0,
};

function reserve(size: number): void {
  if (scratch.ids.length >= size) return;
  scratch.ids = new Int32Array(size);
  scratch.values = new Float32Array(size);
  scratch.weights = new Float64Array(size);
}

/** Nearer to the cut than this, the definition itself decides. */
const MIN_P_MARGIN = 1e-6;

/** Two values whose quotients by the same temperature are equal differ by less than this, relatively. */
const ROUNDING = 2 ** -20;

/** Quotients nearer to 0 than this may have lost digits: any others may have become equal to them. */
const ROUNDED_OFF = 1e-30;

/** A bit less than a value: what is below it stays below after a division. */
const slightlyBelow = (value: number): number => value - Math.abs(value) * ROUNDING;

/** Gathers what is at least `floor`, divided by the temperature; without branches, which nobody could predict. */
function gather(logits: Float32Array, floor: number, temperature: number): number {
  const { ids, values } = scratch;
  let count = 0;
  for (let index = 0; index < logits.length; index++) {
    ids[count] = index;
    count += logits[index]! >= floor ? 1 : 0;
  }
  for (let at = 0; at < count; at++) values[at] = logits[ids[at]!]! / temperature;
  return count;
}

/**
 * top_k keeps every value not below the k-th largest: ties at the cut all survive. min_p keeps probabilities of at least
 * minP times the largest; equal ones survive even at minP = 1. Both keep what is above some value.
 */
function keepLargest(logits: Float32Array, sampling: ResolvedSampling, temperature: number, max: number): number {
  const { minP, topK } = sampling;
  const kth = topK > 0 && topK < logits.length ? kthLargest(logits, topK) : MASKED;
  const cut = Math.fround(kth / temperature);
  const least = minP > 0 ? Math.log(minP) : MASKED;
  const likeliest = Math.abs(cut) < ROUNDED_OFF ? MASKED : slightlyBelow(kth);
  const floor = Math.max(likeliest, slightlyBelow((max + least - MIN_P_MARGIN) * temperature));
  // −Infinity itself is no survivor.
  const gathered = gather(logits, Math.max(floor, -Number.MAX_VALUE), temperature);
  const { ids, values } = scratch;
  let count = 0;
  for (let at = 0; at < gathered; at++) {
    const value = values[at]!;
    const below = value - max;
    const likely = below > least + MIN_P_MARGIN || (below >= least - MIN_P_MARGIN && Math.exp(below) >= minP);
    if (!likely || value < cut) continue;
    ids[count] = ids[at]!;
    values[count] = value;
    count++;
  }
  return count;
}

/** Buckets by distance from the largest logit, and how far they reach: beyond, e^−32 of the mass is left. */
const BUCKETS = 4096;
const REACH = 32;
const masses = new Float64Array(BUCKETS + 1);

const toBucket = (below: number) => Math.min(BUCKETS, Math.floor((below * BUCKETS) / REACH));

/**
 * Keeps the most probable tokens until their mass reaches topP; the first always stays. Equal values at the cut: the
 * higher ids stay (vLLM sorts ascending and removes from the front). Sorts only the one bucket that the cut falls in.
 *
 * @param count of the lists in `scratch`, ids ascending
 * @param total mass of all tokens, also of those too rare to be in the lists
 */
function keepNucleus(count: number, topP: number, total: number, max: number): number {
  const { ids, values, weights } = scratch;
  masses.fill(0);
  for (let at = 0; at < count; at++) masses[toBucket(max - values[at]!)]! += weights[at]!;
  let cut = 0;
  let before = 0;
  while (cut < BUCKETS && (before + masses[cut]!) / total < topP) before += masses[cut++]!;
  const candidates: number[] = [];
  for (let at = 0; at < count; at++) if (toBucket(max - values[at]!) === cut) candidates.push(at);
  candidates.sort((a, b) => values[b]! - values[a]! || b - a);
  for (const at of candidates) {
    const mass = weights[at]!;
    // Marked as beyond the reach.
    if (before > 0 && before / total >= topP) values[at] = MASKED;
    before += mass;
  }
  let kept = 0;
  for (let at = 0; at < count; at++) {
    const value = values[at]!;
    if (value === MASKED || toBucket(max - value) > cut) continue;
    ids[kept] = ids[at]!;
    values[kept] = value;
    weights[kept] = weights[at]!;
    kept++;
  }
  return kept;
}

/** Gathers what a nucleus of `topP` can hold: tokens so rare that all of them together are less than half of the rest stay out. */
function gatherLikely(logits: Float32Array, topP: number, total: number): number {
  const { ids, values, weights } = scratch;
  const least = Math.max(Number.MIN_VALUE, (0.5 * (1 - topP) * total) / logits.length);
  let count = 0;
  for (let index = 0; index < logits.length; index++) {
    ids[count] = index;
    count += weights[index]! >= least ? 1 : 0;
  }
  // Downwards in place: an entry is never before the one that it takes.
  for (let at = 0; at < count; at++) {
    values[at] = logits[ids[at]!]!;
    weights[at] = weights[ids[at]!]!;
  }
  return count;
}

const sum = (weights: Float64Array, count: number): number => {
  let total = 0;
  for (let at = 0; at < count; at++) total += weights[at]!;
  return total;
};

/**
 * The tokens that may be drawn.
 *
 * @param logits one row after processors, with at least one finite value; may be divided by the temperature in place
 * @param best index of the largest
 * @returns valid until the next call
 */
export function chooseSurvivors(logits: Float32Array, sampling: ResolvedSampling, best: number): Survivors {
  const temperature = Math.max(sampling.temperature, MIN_TEMPERATURE);
  const { minP, topK, topP } = sampling;
  const max = Math.fround(logits[best]! / temperature);
  reserve(logits.length);
  const { ids, values, weights } = scratch;
  survivors.max = max;
  survivors.weights = weights;
  if (minP > 0 || (topK > 0 && topK < logits.length)) {
    survivors.count = keepLargest(logits, sampling, temperature, max);
    survivors.total = writeExp(values, survivors.count, 1, max, weights);
    if (topP < 1) survivors.count = keepNucleus(survivors.count, topP, survivors.total, max);
  } else {
    survivors.total = writeExp(logits, logits.length, temperature, max, weights);
    survivors.count = logits.length;
    if (topP >= 1) {
      survivors.ids = null;
      survivors.values = logits;
      return survivors;
    }
    survivors.count = keepNucleus(gatherLikely(logits, topP, survivors.total), topP, survivors.total, max);
  }
  if (topP < 1) survivors.total = sum(weights, survivors.count);
  survivors.ids = ids;
  survivors.values = values;
  return survivors;
}

/** Makes a row of its survivors: all others become −Infinity. */
export function writeSurvivors({ count, ids, values }: Survivors, logits: Float32Array): void {
  if (ids === null) return;
  logits.fill(MASKED);
  for (let at = 0; at < count; at++) logits[ids[at]!] = values[at]!;
}

/** @param logits one row after processors, with at least one finite value; changed in place */
export function applyFilters(logits: Float32Array, sampling: ResolvedSampling): void {
  writeSurvivors(chooseSurvivors(logits, sampling, argmax(logits)), logits);
}
