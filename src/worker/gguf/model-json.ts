/**
 * A GGUF file's metadata in the words of Hugging Face: the `config.json` and `generation_config.json` of the model it was
 * made from, as far as the engine reads them (keys: `gguf/constants.py` of the Python package gguf 0.19). Judges no
 * number; `model-config.ts` does.
 */
import { GatewayError, showValue } from "../../errors.ts";
import type { ArchitectureName } from "../architectures.ts";
import type { Json } from "../json-fields.ts";
import type { GgufHeader } from "./header.ts";
import { createMetadata, type Metadata } from "./metadata.ts";

/** By `general.architecture`. llama.cpp writes Mistral as llama; a window tells it apart. */
const ARCHITECTURE: Readonly<Record<string, ArchitectureName>> = {
  llama: "LlamaForCausalLM",
  mistral: "MistralForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
};

/** The architecture's own name and what it is called in `architectures`. */
export function toGgufArchitecture(metadata: Metadata): { readonly own: string; readonly name: ArchitectureName } {
  const own = metadata.required("general.architecture", metadata.text("general.architecture"));
  const name = Object.hasOwn(ARCHITECTURE, own) ? ARCHITECTURE[own] : undefined;
  if (name === undefined) {
    throw new GatewayError(
      "unsupported",
      `${metadata.path}: general.architecture ${showValue(own)} is not supported; supported: ${Object.keys(ARCHITECTURE).join(", ")}.`,
      { param: "general.architecture" },
    );
  }
  const window = own === "llama" && (metadata.count("llama.attention.sliding_window") ?? 0) > 0;
  return { own, name: window ? "MistralForCausalLM" : name };
}

function toRope(metadata: Metadata, own: string): Json {
  const key = (name: string) => `${own}.rope.scaling.${name}`;
  const theta = metadata.number(`${own}.rope.freq_base`) ?? 10_000;
  const type = metadata.text(key("type")) ?? "none";
  // Files older than the type have a linear factor alone.
  const factor = metadata.number(key("factor")) ?? metadata.number(`${own}.rope.scale_linear`);
  if (type === "none" && (factor === undefined || factor === 1)) return { rope_theta: theta };
  const scaled = { rope_theta: theta, rope_type: type === "none" ? "linear" : type, factor };
  if (type !== "yarn") return scaled;
  const attention = metadata.number(key("attn_factor"));
  return {
    ...scaled,
    original_max_position_embeddings: metadata.count(key("original_context_length")),
    beta_fast: metadata.number(key("yarn_beta_fast")),
    beta_slow: metadata.number(key("yarn_beta_slow")),
    // llama.cpp multiplies the usual factor by this one.
    ...(attention === undefined || factor === undefined
      ? {}
      : { attention_factor: attention * (0.1 * Math.log(Math.max(1, factor)) + 1) }),
  };
}

/** Ids that end a sequence: end of text, of turn, of message. */
function toEndIds(metadata: Metadata): number[] {
  const ids = ["eos_token_id", "eot_token_id", "eom_token_id"].map((name) => metadata.count(`tokenizer.ggml.${name}`));
  return [...new Set(ids.filter((id) => id !== undefined))];
}

const refuse = (
  code: "unsupported" | "invalid_value",
  { path }: Metadata,
  key: string,
  message: string,
): GatewayError => new GatewayError(code, `${path}: ${key} ${message}.`, { param: key });

/** Ids of tokens that the vocabulary does not have. */
function checkTokenIds(metadata: Metadata, vocabSize: number | undefined): void {
  if (vocabSize === undefined) return;
  for (const name of ["bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id"]) {
    const key = `tokenizer.ggml.${name}`;
    const id = metadata.count(key);
    if (id === undefined || id < vocabSize) continue;
    throw refuse("invalid_value", metadata, key, `must be below ${vocabSize}, the number of tokens, got ${id}`);
  }
}

/** The dimension of a head, as every key that speaks of it says. */
function toHeadDim(metadata: Metadata, own: string, hidden: number, heads: number): number {
  const count = (key: string) => metadata.count(`${own}.${key}`);
  const given = count("attention.key_length");
  if (given === undefined && hidden % heads !== 0) {
    const key = `${own}.embedding_length`;
    throw refuse(
      "unsupported",
      metadata,
      key,
      `${hidden} is not supported; it must be a multiple of ${own}.attention.head_count (${heads})`,
    );
  }
  const headDim = given ?? hidden / heads;
  for (const name of ["attention.value_length", "rope.dimension_count"]) {
    const other = count(name);
    if (other === undefined || other === headDim) continue;
    const why = given === undefined ? "embedding_length / attention.head_count" : "attention.key_length";
    throw refuse(
      "unsupported",
      metadata,
      `${own}.${name}`,
      `${other} is not supported; it must be ${headDim}, the dimension of a head (${why})`,
    );
  }
  return headDim;
}

/** `generation_config.json`: the end tokens. */
export function toGenerationJson(header: GgufHeader): Json {
  return { eos_token_id: toEndIds(createMetadata(header)) };
}

/**
 * `config.json`.
 *
 * @throws GatewayError `unsupported`, `missing_field` or `invalid_value` naming the key of the metadata
 */
export function toConfigJson(header: GgufHeader): Json {
  const metadata = createMetadata(header);
  const { own, name } = toGgufArchitecture(metadata);
  const count = (key: string) => metadata.count(`${own}.${key}`);
  const required = (key: string) => metadata.required(`${own}.${key}`, count(key));
  const experts = count("expert_count") ?? 0;
  if (experts > 0) {
    throw new GatewayError(
      "unsupported",
      `${header.path}: ${own}.expert_count ${experts} is not supported; supported: 0.`,
      {
        param: `${own}.expert_count`,
      },
    );
  }
  const heads = required("attention.head_count");
  const hidden = required("embedding_length");
  if (heads === 0) {
    throw new GatewayError("invalid_value", `${header.path}: ${own}.attention.head_count must be at least 1, got 0.`, {
      param: `${own}.attention.head_count`,
    });
  }
  const parts = metadata.count("split.count") ?? 1;
  if (parts > 1) {
    const mend = "put them together with llama.cpp's llama-gguf-split --merge";
    throw refuse(
      "unsupported",
      metadata,
      "split.count",
      `${parts} is not supported: the model lies in ${parts} files; ${mend}`,
    );
  }
  const headDim = toHeadDim(metadata, own, hidden, heads);
  const vocabSize =
    count("vocab_size") ?? metadata.texts("tokenizer.ggml.tokens")?.length ?? rowsOf(header, "token_embd.weight");
  checkTokenIds(metadata, vocabSize);
  const window = count("attention.sliding_window") ?? 0;
  return {
    architectures: [name],
    model_type: own,
    vocab_size: vocabSize,
    hidden_size: hidden,
    intermediate_size: required("feed_forward_length"),
    num_hidden_layers: required("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: count("attention.head_count_kv") ?? heads,
    head_dim: headDim,
    max_position_embeddings: required("context_length"),
    rms_norm_eps: metadata.required(
      `${own}.attention.layer_norm_rms_epsilon`,
      metadata.number(`${own}.attention.layer_norm_rms_epsilon`),
    ),
    rope_parameters: toRope(metadata, own),
    tie_word_embeddings: !header.tensors.has("output.weight"),
    attention_bias: header.tensors.has("blk.0.attn_q.bias"),
    mlp_bias: header.tensors.has("blk.0.ffn_gate.bias"),
    bos_token_id: metadata.count("tokenizer.ggml.bos_token_id"),
    eos_token_id: toEndIds(metadata),
    ...(window > 0
      ? { sliding_window: window, use_sliding_window: true, max_window_layers: 0 }
      : { sliding_window: null }),
  };
}

function rowsOf(header: GgufHeader, name: string): number | undefined {
  const tensor = header.tensors.get(name);
  return tensor?.shape.length === 2 ? tensor.shape[0] : undefined;
}
