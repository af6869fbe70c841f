/**
 * A Hugging Face `config.json` as typed numbers, or a refusal that names the field and what is supported.
 * Knows nothing of files' contents beyond that one, and nothing of graphs.
 */
import { GatewayError, showValue } from "../errors.ts";
import {
  ARCHITECTURES,
  type Architecture,
  type ArchitectureName,
  type BiasRule,
  isArchitectureName,
} from "./architectures.ts";
import { isObject, type Json, toCount, toFlag, toPositive, unsupported } from "./json-fields.ts";
import { parseRope, type RopeParameters } from "./rope-config.ts";

/** What the engine needs to know of a decoder. Sizes are counts of elements. */
export interface ModelConfig {
  readonly architecture: ArchitectureName;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Key/value heads; divides `heads` (grouped-query attention). */
  readonly kvHeads: number;
  readonly headDim: number;
  /** `headDim` rounded up to what the attention kernel takes (a multiple of 16); the excess is zero. */
  readonly kernelHeadDim: number;
  /** Longest context the weights were made for. */
  readonly maxPositions: number;
  readonly rmsNormEps: number;
  readonly rope: RopeParameters;
  /** The output head is the embedding table; `lm_head.weight` is then absent. */
  readonly tiedEmbeddings: boolean;
  /** Biases of the query, key and value projections. */
  readonly qkvBias: boolean;
  /** Bias of the attention's output projection. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Every query and key head is normalised before the rotary embedding. */
  readonly queryKeyNorm: boolean;
  /** Of each layer: how many tokens back a token sees, itself included; null = all. */
  readonly windows: readonly (number | null)[];
}

/** Above any published model; guards the sizes computed from these fields. */
const LIMIT = { vocabulary: 2 ** 22, width: 2 ** 20, layers: 1024, heads: 4096, positions: 2 ** 24 };
/** `sliding_window` and `max_window_layers` where config.json leaves them out (transformers 5.19). */
const DEFAULT_WINDOW = 4096;
const DEFAULT_FULL_LAYERS = 28;

const toBias = (json: Json, rule: BiasRule) => (typeof rule === "boolean" ? rule : toFlag(json, rule));

function toArchitecture({ architectures }: Json): ArchitectureName {
  if (Array.isArray(architectures) && architectures.length === 1 && isArchitectureName(architectures[0])) {
    return architectures[0];
  }
  throw unsupported("architectures", architectures, `supported: ${Object.keys(ARCHITECTURES).join(", ")}`);
}

function toWindows(json: Json, { window }: Architecture, layers: number): (number | null)[] {
  const all = (size: number | null) => Array.from({ length: layers }, () => size);
  const given = json.sliding_window;
  if (window === "none") {
    if (given !== undefined && given !== null) throw unsupported("sliding_window", given, "supported: null");
    return all(null);
  }
  if (given === null || (window === "chosen" && !toFlag(json, "use_sliding_window"))) return all(null);
  const size = toCount(json, "sliding_window", LIMIT.positions, DEFAULT_WINDOW);
  if (window === "all") return all(size);
  const types = json.layer_types ?? null;
  if (types === null) {
    const full = toCount(json, "max_window_layers", LIMIT.layers, DEFAULT_FULL_LAYERS, 0);
    return Array.from({ length: layers }, (_, layer) => (layer >= full ? size : null));
  }
  if (!Array.isArray(types) || types.length !== layers) {
    throw unsupported("layer_types", types, `supported: a list of ${layers} types, one for each layer`);
  }
  return types.map((type, layer) => {
    if (type === "sliding_attention") return size;
    if (type === "full_attention") return null;
    throw unsupported(`layer_types[${layer}]`, type, 'supported: "full_attention", "sliding_attention"');
  });
}

/**
 * @param value the parsed JSON of config.json
 * @throws GatewayError `unsupported` naming architecture or field, `invalid_value` for a number out of range
 * @example
 * ```ts
 * import { parseModelConfig } from "./model-config.ts";
 * const config = parseModelConfig({
 *   architectures: ["LlamaForCausalLM"], vocab_size: 512, hidden_size: 128, intermediate_size: 512,
 *   num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 1024,
 *   rms_norm_eps: 1e-5, tie_word_embeddings: true,
 * });
 * if (config.headDim !== 32) throw new Error("head_dim is hidden_size / num_attention_heads unless given");
 * ```
 */
export function parseModelConfig(value: unknown): ModelConfig {
  if (!isObject(value)) {
    throw new GatewayError("invalid_value", `config.json must hold an object, got ${showValue(value)}.`);
  }
  const architecture = toArchitecture(value);
  const traits: Architecture = ARCHITECTURES[architecture];
  const act = value.hidden_act ?? "silu";
  if (act !== "silu" && act !== "swish") throw unsupported("hidden_act", act, 'supported: "silu"');
  const quantized = value.quantization_config ?? null;
  if (quantized !== null) throw unsupported("quantization_config", quantized, "supported: null");
  const partial = value.partial_rotary_factor ?? 1;
  if (partial !== 1) throw unsupported("partial_rotary_factor", partial, "supported: 1");
  const hiddenSize = toCount(value, "hidden_size", LIMIT.width);
  const heads = toCount(value, "num_attention_heads", LIMIT.heads);
  // null means one for each query head; a field left out means the default of the architecture.
  const kvDefault = value.num_key_value_heads === null ? heads : (traits.defaults.kvHeads ?? heads);
  const kvHeads = toCount(value, "num_key_value_heads", LIMIT.heads, kvDefault);
  if (heads % kvHeads !== 0) {
    throw unsupported("num_key_value_heads", kvHeads, `it must divide num_attention_heads (${heads})`);
  }
  const given = value.head_dim ?? traits.defaults.headDim;
  if (given === null && hiddenSize % heads !== 0) {
    throw unsupported("hidden_size", hiddenSize, `it must be a multiple of num_attention_heads (${heads})`);
  }
  const headDim = given === null ? hiddenSize / heads : toCount({ head_dim: given }, "head_dim", LIMIT.width);
  if (headDim % 2 !== 0) throw unsupported("head_dim", headDim, "supported: even numbers");
  const layers = toCount(value, "num_hidden_layers", LIMIT.layers);
  const maxPositions = toCount(value, "max_position_embeddings", LIMIT.positions, traits.defaults.positions);
  return {
    architecture,
    vocabSize: toCount(value, "vocab_size", LIMIT.vocabulary),
    hiddenSize,
    intermediateSize: toCount(value, "intermediate_size", LIMIT.width),
    layers,
    heads,
    kvHeads,
    headDim,
    kernelHeadDim: Math.ceil(headDim / 16) * 16,
    maxPositions,
    rmsNormEps: toPositive(value.rms_norm_eps ?? 1e-6, "rms_norm_eps"),
    rope: parseRope(value, maxPositions),
    tiedEmbeddings: toFlag(value, "tie_word_embeddings"),
    qkvBias: toBias(value, traits.qkvBias),
    outputBias: toBias(value, traits.outputBias),
    mlpBias: toBias(value, traits.mlpBias),
    queryKeyNorm: traits.queryKeyNorm,
    windows: toWindows(value, traits, layers),
  };
}
