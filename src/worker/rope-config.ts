/**
 * The rotary embedding's parameters in a `config.json`: `rope_theta` and `rope_scaling` as transformers 4 writes them
 * (with `type` or `rope_type`), or the one `rope_parameters` of transformers 5. Computes nothing.
 */
import { isObject, type Json, toFlag, toPositive, unsupported } from "./json-fields.ts";

/** How frequencies are stretched to a longer context. Lengths are tokens. */
export type RopeScaling =
  | { readonly type: "default" }
  /** Positions divided by the factor (position interpolation, arXiv:2306.15595). */
  | { readonly type: "linear"; readonly factor: number }
  /** The base grows with the context once that is longer than the trained one (dynamic NTK). */
  | { readonly type: "dynamic"; readonly factor: number }
  /** Low frequencies divided, high ones kept, a ramp between (Llama 3.1). */
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  /** Every dimension divided by its own factor: what a GGUF file says instead of the Llama 3.1 rule. */
  | { readonly type: "factors"; readonly factors: readonly number[] }
  /** By parts, with the tables scaled as well (YaRN, arXiv:2309.00071). */
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly originalPositions: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** What cos and sin are multiplied by. */
      readonly attentionFactor: number;
      /** Whether the ends of the ramp are rounded to whole dimensions. */
      readonly truncate: boolean;
    };

export interface RopeParameters {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

const SUPPORTED = 'supported: "default", "linear", "dynamic", "llama3", "yarn"';

/** YaRN's softmax temperature as a factor of the tables (`get_mscale` of transformers). */
const toMscale = (factor: number, weight = 1) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);

function toYarn(rope: Json, field: string, maxPositions: number): RopeScaling {
  const number = (name: string, fallback: number) => toPositive(rope[name] ?? fallback, `${field}.${name}`);
  const originalPositions = number("original_max_position_embeddings", maxPositions);
  const factor = number("factor", maxPositions / originalPositions);
  const { mscale, mscale_all_dim: all } = rope;
  const weighted = typeof mscale === "number" && typeof all === "number" && mscale !== 0 && all !== 0;
  const usual = weighted ? toMscale(factor, mscale) / toMscale(factor, all) : toMscale(factor);
  return {
    type: "yarn",
    factor,
    originalPositions,
    // 0 counts as absent, as in transformers.
    betaFast: toPositive(rope.beta_fast || 32, `${field}.beta_fast`),
    betaSlow: toPositive(rope.beta_slow || 1, `${field}.beta_slow`),
    attentionFactor: number("attention_factor", usual),
    truncate: toFlag(rope, "truncate", true),
  };
}

function toScaling(rope: Json, field: string, maxPositions: number): RopeScaling {
  const type = rope.rope_type ?? rope.type ?? "default";
  const number = (name: string, fallback?: number) => toPositive(rope[name] ?? fallback, `${field}.${name}`);
  switch (type) {
    case "default":
      return { type: "default" };
    case "linear":
      return { type: "linear", factor: number("factor") };
    case "dynamic":
      return { type: "dynamic", factor: number("factor") };
    case "llama3":
      return {
        type: "llama3",
        factor: number("factor"),
        lowFrequencyFactor: number("low_freq_factor"),
        highFrequencyFactor: number("high_freq_factor"),
        originalPositions: number("original_max_position_embeddings", maxPositions),
      };
    case "yarn":
      return toYarn(rope, field, maxPositions);
    default:
      throw unsupported(`${field}.rope_type`, type, SUPPORTED);
  }
}

/**
 * @param maxPositions `max_position_embeddings`, which some types fall back to
 * @throws GatewayError `unsupported` naming the type, `invalid_value` naming a field
 */
export function parseRope(json: Json, maxPositions: number): RopeParameters {
  let theta = json.rope_theta ?? undefined;
  let scaling: RopeScaling = { type: "default" };
  for (const field of ["rope_scaling", "rope_parameters"]) {
    const rope = json[field];
    if (rope === undefined || rope === null) continue;
    if (!isObject(rope)) throw unsupported(field, rope, "supported: an object or null");
    // transformers 5 may nest one set of parameters for each type of layer.
    const nested = Object.keys(rope).find((key) => isObject(rope[key]));
    if (nested !== undefined)
      throw unsupported(`${field}.${nested}`, rope[nested], "supported: one set for all layers");
    if (rope.partial_rotary_factor !== undefined && rope.partial_rotary_factor !== 1) {
      throw unsupported(`${field}.partial_rotary_factor`, rope.partial_rotary_factor, "supported: 1");
    }
    if (rope.rope_theta !== undefined) theta = toPositive(rope.rope_theta, `${field}.rope_theta`);
    scaling = toScaling(rope, field, maxPositions);
  }
  return { theta: toPositive(theta ?? 10_000, "rope_theta"), scaling };
}
