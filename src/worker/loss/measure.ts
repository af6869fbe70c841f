/** How far one model's predictions are from another's, position by position. Arithmetic only; runs no model. */

/** Means over all positions. Natural logarithms. */
export interface Loss {
  readonly positions: number;
  /** Mean Kullback-Leibler divergence from the reference. */
  readonly kl: number;
  /** Mean |Δ log probability| of the token that comes next in the text. */
  readonly absolute: number;
  /** Share of positions where both find the same token most probable. */
  readonly agreement: number;
  /** exp of the mean negative log probability of the text: of the reference, and of the other. */
  readonly referencePerplexity: number;
  readonly perplexity: number;
}

export interface LossMeter {
  /** Logits of one position from both, and the token that comes next. */
  add(reference: Float32Array, other: Float32Array, next: number): void;
  result(): Loss;
}

/** Logarithm of the sum of exponentials, and where the greatest is. */
function sumUp(logits: Float32Array): { readonly norm: number; readonly best: number } {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  const most = logits[best]!;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id]! - most);
  return { norm: most + Math.log(sum), best };
}

/**
 * Starts a measurement.
 *
 * @example
 * ```ts
 * import { createLossMeter } from "./measure.ts";
 * const meter = createLossMeter();
 * meter.add(Float32Array.of(0, 1), Float32Array.of(5, 6), 1);
 * const { kl, agreement } = meter.result();
 * if (Math.abs(kl) > 1e-9 || agreement !== 1) throw new Error("a constant added to all logits changes nothing");
 * ```
 */
export function createLossMeter(): LossMeter {
  let positions = 0;
  let kl = 0;
  let absolute = 0;
  let same = 0;
  let referenceLoss = 0;
  let loss = 0;
  return {
    add(reference, other, next) {
      const p = sumUp(reference);
      const q = sumUp(other);
      let sum = 0;
      for (let id = 0; id < reference.length; id++) {
        const logP = reference[id]! - p.norm;
        sum += Math.exp(logP) * (logP - (other[id]! - q.norm));
      }
      const before = reference[next]! - p.norm;
      const after = other[next]! - q.norm;
      positions += 1;
      kl += sum;
      absolute += Math.abs(after - before);
      same += p.best === q.best ? 1 : 0;
      referenceLoss -= before;
      loss -= after;
    },
    result: () => ({
      positions,
      kl: kl / positions,
      absolute: absolute / positions,
      agreement: same / positions,
      referencePerplexity: Math.exp(referenceLoss / positions),
      perplexity: Math.exp(loss / positions),
    }),
  };
}
