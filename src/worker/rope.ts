/**
 * Rotary position embedding tables (Su et al., arXiv:2104.09864), in the halves layout of Hugging Face's Llama. The ways
 * of stretching them are those of transformers' `modeling_rope_utils.py`, computed in double precision.
 */
import type { RopeParameters, RopeScaling } from "./rope-config.ts";

export interface RotaryTables {
  /** [positions, columns], row-major. */
  readonly cos: Float32Array<ArrayBuffer>;
  readonly sin: Float32Array<ArrayBuffer>;
}

export interface RotaryOptions {
  readonly headDim: number;
  /** Rows: the longest context that will be run. */
  readonly positions: number;
  /** The longest context the weights were made for. */
  readonly maxPositions: number;
  /** Of the tables, at least headDim / 2 (the default); the excess is angle 0. */
  readonly columns?: number;
}

type Scaled<Type extends RopeScaling["type"]> = Extract<RopeScaling, { type: Type }>;

/** `_compute_llama3_parameters`: by wavelength, in tokens. */
function toLlama3(frequency: number, scaling: Scaled<"llama3">): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalPositions / high) return frequency;
  if (wavelength > originalPositions / low) return frequency / factor;
  const smooth = (originalPositions / wavelength - low) / (high - low);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** `_compute_yarn_parameters`: the share of each dimension that is interpolated ramps from 0 to 1 between two bounds. */
function toYarnRamp(headDim: number, theta: number, scaling: Scaled<"yarn">): (dimension: number) => number {
  const { originalPositions, betaFast, betaSlow, truncate } = scaling;
  const bound = (rotations: number) =>
    (headDim * Math.log(originalPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(truncate ? Math.floor(bound(betaFast)) : bound(betaFast), 0);
  const high = Math.min(truncate ? Math.ceil(bound(betaSlow)) : bound(betaSlow), headDim - 1);
  // Equal bounds would divide by zero; the reference widens them by this much.
  const width = high === low ? 0.001 : high - low;
  return (dimension) => Math.min(1, Math.max(0, (dimension - low) / width));
}

/** Radians per position of each of the headDim / 2 dimensions. */
function toFrequencies({ theta, scaling }: RopeParameters, options: RotaryOptions): number[] {
  const { headDim, positions, maxPositions } = options;
  let base = theta;
  if (scaling.type === "dynamic" && positions > maxPositions) {
    // Set once for the longest context served, so that cached keys stay valid (as vLLM does); up to maxPositions unscaled.
    const stretch = (scaling.factor * positions) / maxPositions - (scaling.factor - 1);
    base *= stretch ** (headDim / (headDim - 2));
  }
  const ramp = scaling.type === "yarn" ? toYarnRamp(headDim, theta, scaling) : null;
  return Array.from({ length: headDim / 2 }, (_, dimension) => {
    const frequency = base ** ((-2 * dimension) / headDim);
    if (scaling.type === "linear") return frequency / scaling.factor;
    if (scaling.type === "llama3") return toLlama3(frequency, scaling);
    if (scaling.type === "factors") return frequency / (scaling.factors[dimension] ?? 1);
    if (scaling.type !== "yarn" || ramp === null) return frequency;
    const interpolated = ramp(dimension);
    return (frequency / scaling.factor) * interpolated + frequency * (1 - interpolated);
  });
}

/**
 * cos and sin of `position × frequency`, times the attention factor where the scaling has one.
 *
 * @example
 * ```ts
 * import { toRotaryTables } from "./rope.ts";
 * const rope = { theta: 10000, scaling: { type: "linear", factor: 2 } } as const;
 * const { cos } = toRotaryTables(rope, { headDim: 4, positions: 3, maxPositions: 3 });
 * if (Math.abs(cos[2 * 2]! - Math.cos(1)) > 1e-6) throw new Error("position 2 turns as far as position 1 did");
 * ```
 */
export function toRotaryTables(rope: RopeParameters, options: RotaryOptions): RotaryTables {
  const { headDim, positions, columns = headDim / 2 } = options;
  const cos = new Float32Array(positions * columns).fill(1);
  const sin = new Float32Array(positions * columns);
  const factor = rope.scaling.type === "yarn" ? rope.scaling.attentionFactor : 1;
  for (const [dimension, frequency] of toFrequencies(rope, options).entries()) {
    for (let position = 0; position < positions; position++) {
      // The angle in double precision, then narrowed once.
      cos[position * columns + dimension] = factor * Math.cos(position * frequency);
      sin[position * columns + dimension] = factor * Math.sin(position * frequency);
    }
  }
  return { cos, sin };
}

/** The longest context that may be asked for: vLLM's rule, where linear and dynamic scaling stretch the trained one. */
export function toLongestContext({ scaling }: RopeParameters, maxPositions: number): number {
  if (scaling.type !== "linear" && scaling.type !== "dynamic") return maxPositions;
  return Math.floor(maxPositions * Math.max(1, scaling.factor));
}
