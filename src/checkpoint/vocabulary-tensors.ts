/**
 * Which tensors of a checkpoint have one row per token: the input embedding, and the output head with its bias where
 * they are stored. By the names that the causal language models of transformers use; reads headers, never data.
 */
import { GatewayError, showValue } from "../errors.ts";
import { isWideable } from "../tensor/half.ts";
import type { WeightTensor } from "../tensor/weights.ts";
import { EMBEDDING_OF } from "./known-models.ts";
import type { JsonObject } from "./read-files.ts";

/** Llama and most others, GPT-2 and its kin, BLOOM and Falcon, GPT-NeoX, InternLM, GPT. */
const INPUT = /(?:^|\.)(?:embed_tokens|wte|word_embeddings|embed_in|tok_embeddings|tokens_embed)\.weight$/;
const HEAD = /(?:^|\.)(?:lm_head|embed_out)\.(?:weight|bias)$/;
/** A part of a layer: `layers.0`, `h.0`. */
const IN_LAYER = /\.\d+\./;

export interface VocabularyTensor {
  readonly name: string;
  readonly kind: "embedding" | "head" | "bias";
  readonly tensor: WeightTensor;
}

export interface VocabularyTensors {
  /** The embedding first. */
  readonly all: readonly VocabularyTensor[];
  /** Rows of every one of them. */
  readonly rows: number;
  /** True when embedding and head are one matrix, whether the head is stored or not. */
  readonly tied: boolean;
}

const record = (value: unknown): JsonObject | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;

/** The part of a multimodal configuration that is about text; the configuration itself otherwise. */
export const textConfigOf = (config: JsonObject): JsonObject => record(config.text_config) ?? config;

const unsupported = (message: string, tensor?: string): GatewayError =>
  new GatewayError("unsupported", message, tensor === undefined ? {} : { tensor });

const kindOf = (name: string): VocabularyTensor["kind"] =>
  INPUT.test(name) ? "embedding" : name.endsWith(".bias") ? "bias" : "head";

function checkShape({ name, kind, tensor }: VocabularyTensor, rows: number): void {
  const { shape, dtype } = tensor;
  const dimensions = kind === "bias" ? 1 : 2;
  if (shape.length !== dimensions || shape[0] !== rows || shape.includes(0)) {
    throw new GatewayError(
      "weights_shape_mismatch",
      `Tensor ${name} is [${shape}]; the vocabulary of the model has ${rows} rows.`,
      { tensor: name },
    );
  }
  if (!isWideable(dtype)) throw unsupported(`Tensor ${name} is ${dtype}; F32, F16 and BF16 can be resized.`, name);
}

/** What a model that brings its own code names its embedding is not known; for those any known name will do. */
function checkModelType(config: JsonObject): string | undefined {
  const { model_type: type, auto_map: own } = config;
  if (record(own)?.AutoModelForCausalLM !== undefined) return undefined;
  const name = typeof type === "string" ? EMBEDDING_OF.get(type) : undefined;
  if (name !== undefined) return name;
  throw new GatewayError(
    "unsupported",
    `model_type ${showValue(type ?? null)} (architectures ${showValue(config.architectures ?? null)}) in config.json is not a causal language model whose vocabulary can be resized. ` +
      `Supported: ${[...EMBEDDING_OF.keys()].join(", ")}; any other that brings its own code (auto_map.AutoModelForCausalLM).`,
    { param: "model_type" },
  );
}

/**
 * Finds them.
 *
 * @throws GatewayError `unsupported` for an architecture whose vocabulary tensors are not known,
 * `weights_shape_mismatch` where configuration, embedding and head disagree, `weights_missing_tensor` without a head.
 */
export function findVocabularyTensors(
  config: JsonObject,
  tensors: ReadonlyMap<string, WeightTensor>,
): VocabularyTensors {
  const model = showValue(config.model_type ?? null);
  if (config.is_encoder_decoder === true) {
    throw unsupported(
      `The model (model_type ${model}) is an encoder-decoder; only causal language models are supported.`,
    );
  }
  const all = [...tensors].flatMap(([name, tensor]) =>
    INPUT.test(name) || HEAD.test(name) ? [{ name, kind: kindOf(name), tensor }] : [],
  );
  const wanted = checkModelType(config);
  const embeddings = all.filter(({ kind }) => kind === "embedding");
  const [embedding] = embeddings;
  if (embedding === undefined || embeddings.length > 1) {
    const found = embeddings.length === 0 ? "none" : embeddings.map(({ name }) => name).join(", ");
    throw unsupported(
      `The model (model_type ${model}) must have one token embedding whose name is known, found ${found}.`,
    );
  }
  if (wanted !== undefined && !embedding.name.endsWith(`${wanted}.weight`)) {
    throw unsupported(
      `The model (model_type ${model}) must have its token embedding as ${wanted}.weight; these weights have ${embedding.name}, which is another architecture's.`,
      embedding.name,
    );
  }
  const text = textConfigOf(config);
  const declared = text.vocab_size ?? config.vocab_size;
  const rows = typeof declared === "number" ? declared : (embedding.tensor.shape[0] ?? 0);
  const ordered = [embedding, ...all.filter((one) => one !== embedding)];
  for (const one of ordered) checkShape(one, rows);
  const known = new Set(all.map(({ name }) => name));
  for (const [name, { shape }] of tensors) {
    if (known.has(name) || shape[0] !== rows || IN_LAYER.test(name)) continue;
    throw unsupported(
      `Tensor ${name} has one row per token too, and what it is for is not known (model_type ${model}).`,
      name,
    );
  }
  const said = text.tie_word_embeddings ?? config.tie_word_embeddings;
  const stored = all.some(({ kind }) => kind === "head");
  if (said === false && !stored) {
    throw new GatewayError(
      "weights_missing_tensor",
      "The configuration says tie_word_embeddings false, but the weights have no output head (lm_head.weight).",
      { tensor: "lm_head.weight" },
    );
  }
  return { all: ordered, rows, tied: said === true || !stored };
}
