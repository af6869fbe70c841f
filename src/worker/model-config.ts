/**
 * A Hugging Face `config.json` as typed numbers, or a refusal that names the field and what is supported.
 * Knows nothing of files' contents beyond that one, and nothing of graphs.
 */
import { GatewayError, showValue } from "../errors.ts";
import type { Files } from "../ports.ts";

/** What the engine needs to know of a decoder. Sizes are counts of elements. */
export interface ModelConfig {
  readonly architecture: "LlamaForCausalLM";
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
  readonly ropeTheta: number;
  /** The output head is the embedding table; `lm_head.weight` is then absent. */
  readonly tiedEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
}

/** config.json files are a few KB; a larger one is not one. */
const CONFIG_BYTES_LIMIT = 1024 * 1024;
/** Above any published model; guards the sizes computed from these fields. */
const LIMIT = { vocabulary: 2 ** 22, width: 2 ** 20, layers: 1024, heads: 4096, positions: 2 ** 24 };

const SUPPORTED = "supported: LlamaForCausalLM with silu, RMS norm and default rotary embedding";

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function unsupported(field: string, value: unknown, accepted: string): GatewayError {
  return new GatewayError("unsupported", `config.json: ${field} ${showValue(value)} is not supported; ${accepted}.`, {
    param: field,
  });
}

function count(json: Json, field: string, limit: number, fallback?: number): number {
  const value = json[field] ?? fallback;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= limit) return value;
  throw new GatewayError(
    "invalid_value",
    `config.json: ${field} must be an integer from 1 to ${limit}, got ${showValue(value)}.`,
    { param: field },
  );
}

function positive(value: unknown, field: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new GatewayError("invalid_value", `config.json: ${field} must be a number above 0, got ${showValue(value)}.`, {
    param: field,
  });
}

function flag(json: Json, field: string, fallback = false): boolean {
  const value = json[field] ?? fallback;
  if (typeof value === "boolean") return value;
  throw new GatewayError("invalid_value", `config.json: ${field} must be true or false, got ${showValue(value)}.`, {
    param: field,
  });
}

/** transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 one `rope_parameters`; both are read. */
function parseRope(json: Json): number {
  for (const field of ["rope_parameters", "rope_scaling"]) {
    const rope = json[field];
    if (rope === undefined || rope === null) continue;
    if (!isObject(rope)) throw unsupported(field, rope, "supported: an object or null");
    const type = rope.rope_type ?? rope.type ?? "default";
    if (type !== "default") throw unsupported(`${field}.rope_type`, type, 'supported: "default"');
    if (rope.partial_rotary_factor !== undefined && rope.partial_rotary_factor !== 1) {
      throw unsupported(`${field}.partial_rotary_factor`, rope.partial_rotary_factor, "supported: 1");
    }
    if (rope.rope_theta !== undefined) return positive(rope.rope_theta, `${field}.rope_theta`);
  }
  return positive(json.rope_theta ?? 10_000, "rope_theta");
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
  const architectures = value.architectures;
  const architecture = Array.isArray(architectures) ? architectures[0] : architectures;
  if (architecture !== "LlamaForCausalLM" || (architectures as unknown[]).length !== 1) {
    throw unsupported("architectures", architectures, SUPPORTED);
  }
  const act = value.hidden_act ?? "silu";
  if (act !== "silu" && act !== "swish") throw unsupported("hidden_act", act, 'supported: "silu"');
  for (const field of ["quantization_config", "sliding_window"]) {
    if (value[field] !== undefined && value[field] !== null) throw unsupported(field, value[field], "supported: null");
  }
  if (value.partial_rotary_factor !== undefined && value.partial_rotary_factor !== 1) {
    throw unsupported("partial_rotary_factor", value.partial_rotary_factor, "supported: 1");
  }
  const hiddenSize = count(value, "hidden_size", LIMIT.width);
  const heads = count(value, "num_attention_heads", LIMIT.heads);
  const kvHeads = count(value, "num_key_value_heads", LIMIT.heads, heads);
  if (heads % kvHeads !== 0) {
    throw unsupported("num_key_value_heads", kvHeads, `it must divide num_attention_heads (${heads})`);
  }
  const given = value.head_dim ?? undefined;
  if (given === undefined && hiddenSize % heads !== 0) {
    throw unsupported("hidden_size", hiddenSize, `it must be a multiple of num_attention_heads (${heads})`);
  }
  const headDim = given === undefined ? hiddenSize / heads : count(value, "head_dim", LIMIT.width);
  if (headDim % 2 !== 0) throw unsupported("head_dim", headDim, "supported: even numbers");
  return {
    architecture,
    vocabSize: count(value, "vocab_size", LIMIT.vocabulary),
    hiddenSize,
    intermediateSize: count(value, "intermediate_size", LIMIT.width),
    layers: count(value, "num_hidden_layers", LIMIT.layers),
    heads,
    kvHeads,
    headDim,
    kernelHeadDim: Math.ceil(headDim / 16) * 16,
    maxPositions: count(value, "max_position_embeddings", LIMIT.positions, 2048),
    rmsNormEps: positive(value.rms_norm_eps ?? 1e-6, "rms_norm_eps"),
    ropeTheta: parseRope(value),
    tiedEmbeddings: flag(value, "tie_word_embeddings"),
    attentionBias: flag(value, "attention_bias"),
    mlpBias: flag(value, "mlp_bias"),
  };
}

/**
 * Reads and parses `config.json` of a model directory.
 *
 * @throws GatewayError `not_found` without that file, `malformed_json`, and what `parseModelConfig` throws
 */
export async function openModelConfig(files: Files, directory: string): Promise<ModelConfig> {
  const path = files.resolve(directory, "config.json");
  if ((await files.stat(path))?.kind !== "file") {
    throw new GatewayError("not_found", `${directory} is no Hugging Face model directory: it has no config.json.`);
  }
  const text = await files.readText(path, CONFIG_BYTES_LIMIT);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("malformed_json", `${path} is not JSON: ${String(cause)}.`, { cause });
  }
  return parseModelConfig(json);
}
