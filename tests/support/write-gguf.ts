/** Writes GGUF files for tests: any header, honest or not, and the shipped model as llama.cpp's converter would write it. */
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createFiles } from "../../src/platform/shared/files.ts";
import { GGML_TYPES, type GgmlType } from "../../src/tensor/ggml-types.ts";
import { narrow, toF16Bits, type WideableDtype, widen } from "../../src/tensor/half.ts";
import { openWeights } from "../../src/tensor/weights.ts";

/** `gguf_metadata_value_type` of gguf.md. */
const VALUE_TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10 } as const;
type Scalar = Exclude<keyof typeof VALUE_TYPE, "array">;
export type GgufValue =
  | readonly [type: Scalar, value: unknown]
  | readonly [type: "array", of: Scalar, values: readonly unknown[]];

export interface GgufTensorToWrite {
  readonly name: string;
  readonly type: GgmlType | number;
  /** Rows first. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  /** Written instead of where the bytes really are. */
  readonly offset?: number;
}

export interface GgufToWrite {
  readonly version?: number;
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensorToWrite[];
  /** Written instead of the true numbers. */
  readonly tensorCount?: number;
  readonly valueCount?: number;
}

const ALIGNMENT = 32;
const align = (size: number) => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

class Bytes {
  #parts: Uint8Array[] = [];
  length = 0;
  raw(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.length += bytes.length;
  }
  number(size: number, write: (view: DataView) => void): void {
    const bytes = new Uint8Array(size);
    write(new DataView(bytes.buffer));
    this.raw(bytes);
  }
  u32(value: number): void {
    this.number(4, (view) => view.setUint32(0, value, true));
  }
  u64(value: number): void {
    this.number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }
  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    this.raw(bytes);
  }
  scalar(type: Scalar, value: unknown): void {
    if (type === "string") this.text(value as string);
    else if (type === "bool") this.raw(Uint8Array.of(value ? 1 : 0));
    else if (type === "u64") this.u64(value as number);
    else if (type === "f32") this.number(4, (view) => view.setFloat32(0, value as number, true));
    else this.number(4, (view) => view.setInt32(0, value as number, true));
  }
  pad(): void {
    this.raw(new Uint8Array(align(this.length) - this.length));
  }
  join(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

/** The bytes of a file. */
export function toGgufBytes({ version = 3, metadata, tensors, tensorCount, valueCount }: GgufToWrite): Uint8Array {
  const out = new Bytes();
  out.raw(new TextEncoder().encode("GGUF"));
  out.u32(version);
  out.u64(tensorCount ?? tensors.length);
  out.u64(valueCount ?? Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    out.text(key);
    out.u32(VALUE_TYPE[value[0]]);
    if (value[0] === "array") {
      out.u32(VALUE_TYPE[value[1]]);
      out.u64(value[2].length);
      for (const item of value[2]) out.scalar(value[1], item);
    } else out.scalar(value[0], value[1]);
  }
  let offset = 0;
  for (const tensor of tensors) {
    out.text(tensor.name);
    out.u32(tensor.shape.length);
    for (const size of [...tensor.shape].reverse()) out.u64(size);
    out.u32(typeof tensor.type === "number" ? tensor.type : GGML_TYPES[tensor.type].id);
    out.u64(tensor.offset ?? offset);
    offset += align(tensor.bytes.length);
  }
  out.pad();
  for (const { bytes } of tensors) {
    out.raw(bytes);
    out.pad();
  }
  return out.join();
}

/** Blocks of 32 by plain rounding, as llama.cpp's reference quantisers make them (`quantize_row_q*_ref`). */
function toBlocks(type: "Q8_0" | "Q4_0" | "Q4_1", values: Float32Array): Uint8Array {
  const out = new Bytes();
  const half = (value: number) => out.number(2, (view) => view.setUint16(0, toF16Bits(value), true));
  for (let at = 0; at < values.length; at += 32) {
    const block = [...values.subarray(at, at + 32)];
    const far = block.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    const least = Math.min(...block);
    const scale =
      type === "Q8_0" ? Math.abs(far) / 127 : type === "Q4_0" ? far / -8 : (Math.max(...block) - least) / 15;
    half(scale);
    if (type === "Q4_1") half(least);
    const inverse = scale === 0 ? 0 : 1 / scale;
    const codes = block.map((value) => {
      if (type === "Q8_0") return Math.round(value * inverse);
      return Math.min(15, Math.floor((type === "Q4_0" ? value * inverse + 8 : (value - least) * inverse) + 0.5));
    });
    if (type === "Q8_0") out.raw(new Uint8Array(Int8Array.from(codes).buffer));
    else out.raw(Uint8Array.from({ length: 16 }, (_, index) => codes[index]! | (codes[index + 16]! << 4)));
  }
  return out.join();
}

/** Elements as a type's bytes. */
export function toGgml(type: WideableDtype | "Q8_0" | "Q4_0" | "Q4_1", values: Float32Array): Uint8Array {
  return type === "Q8_0" || type === "Q4_0" || type === "Q4_1" ? toBlocks(type, values) : narrow(type, values);
}

const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^model\.embed_tokens\./, "token_embd."],
  [/^model\.norm\./, "output_norm."],
  [/^lm_head\./, "output."],
  [/^model\.layers\./, "blk."],
  [/\.self_attn\.([qkv])_proj\./, ".attn_$1."],
  [/\.self_attn\.o_proj\./, ".attn_output."],
  [/\.input_layernorm\./, ".attn_norm."],
  [/\.post_attention_layernorm\./, ".ffn_norm."],
  [/\.mlp\.(gate|up|down)_proj\./, ".ffn_$1."],
];

/** llama.cpp's `permute`: rows of a head from halves to pairs. */
function toPairs(values: Float32Array, columns: number, headDim: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length / columns; row++) {
    const inner = row % headDim;
    const target = row - inner + (inner < headDim / 2 ? 2 * inner : 2 * (inner - headDim / 2) + 1);
    out.set(values.subarray(row * columns, (row + 1) * columns), target * columns);
  }
  return out;
}

interface LlamaConfig {
  readonly [field: string]: number;
}

/** A Llama directory of ours with a byte-level tokenizer as a GGUF file. */
export async function convertLlama(
  directory: string,
  type: WideableDtype | "Q8_0" | "Q4_0" | "Q4_1",
  pre = "smollm",
): Promise<GgufToWrite> {
  const json = (name: string) => JSON.parse(readFileSync(join(directory, name), "utf8"));
  const config = json("config.json") as LlamaConfig;
  const weights = await openWeights(createFiles(), directory);
  const tensors: GgufTensorToWrite[] = [];
  for (const [name, { dtype, shape }] of weights.tensors) {
    let values: Float32Array = widen(dtype as WideableDtype, await weights.read(name));
    if (/\.[qk]_proj\./.test(name)) values = toPairs(values, shape[1] ?? 1, config.head_dim!);
    const own = NAMES.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), name);
    const kind = shape.length === 1 ? "F32" : type;
    tensors.push({ name: own, type: kind, shape, bytes: toGgml(kind, values) });
  }
  await weights.close();
  const template = join(directory, "chat_template.jinja");
  const chat = existsSync(template) ? readFileSync(template, "utf8") : json("tokenizer_config.json").chat_template;
  const metadata: Record<string, GgufValue> = {
    ...toLlamaMetadata(config),
    ...toVocabulary(json("tokenizer.json"), pre),
    ...(typeof chat === "string" ? { "tokenizer.chat_template": ["string", chat] as const } : {}),
  };
  return { metadata, tensors };
}

const toLlamaMetadata = (config: LlamaConfig): Record<string, GgufValue> => ({
  "general.architecture": ["string", "llama"],
  "llama.block_count": ["u32", config.num_hidden_layers],
  "llama.context_length": ["u32", config.max_position_embeddings],
  "llama.embedding_length": ["u32", config.hidden_size],
  "llama.feed_forward_length": ["u32", config.intermediate_size],
  "llama.attention.head_count": ["u32", config.num_attention_heads],
  "llama.attention.head_count_kv": ["u32", config.num_key_value_heads],
  "llama.attention.layer_norm_rms_epsilon": ["f32", config.rms_norm_eps],
  "llama.rope.freq_base": ["f32", config.rope_theta],
  "llama.rope.dimension_count": ["u32", config.head_dim],
});

interface TokenizerJson {
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly [string, string])[];
    readonly byte_fallback?: boolean;
  };
  readonly added_tokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
}

/** The vocabulary's part of the metadata, as llama.cpp's converter writes it. */
export function toVocabulary({ model, added_tokens }: TokenizerJson, pre: string): Record<string, GgufValue> {
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  for (const { id, content } of added_tokens) tokens[id] = content;
  const types: number[] = tokens.map((token) => (model.byte_fallback && /^<0x[0-9A-F]{2}>$/.test(token) ? 6 : 1));
  for (const { id, special } of added_tokens) types[id] = special ? 3 : 4;
  const merges = model.merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" ")));
  const common: Record<string, GgufValue> = {
    "tokenizer.ggml.tokens": ["array", "string", tokens],
    "tokenizer.ggml.token_type": ["array", "i32", types],
  };
  const id = (token: string) => tokens.indexOf(token);
  if (model.byte_fallback !== true) {
    return {
      ...common,
      "tokenizer.ggml.model": ["string", "gpt2"],
      "tokenizer.ggml.pre": ["string", pre],
      "tokenizer.ggml.merges": ["array", "string", merges],
      "tokenizer.ggml.bos_token_id": ["u32", Math.max(0, id("<|begin_of_text|>"), id("<|im_start|>"))],
      "tokenizer.ggml.eos_token_id": ["u32", Math.max(0, id("<|im_end|>"))],
    };
  }
  const scores = tokens.map(() => 0);
  for (const [rank, pair] of model.merges.entries()) {
    const made = id((typeof pair === "string" ? pair.split(" ") : pair).join(""));
    if (scores[made] === 0) scores[made] = -1 - rank;
  }
  return {
    ...common,
    "tokenizer.ggml.model": ["string", "llama"],
    "tokenizer.ggml.scores": ["array", "f32", scores],
    "tokenizer.ggml.bos_token_id": ["u32", id("<s>")],
    "tokenizer.ggml.unknown_token_id": ["u32", id("<unk>")],
  };
}

/** Writes one. */
export async function writeGguf(path: string, content: GgufToWrite): Promise<void> {
  await writeFile(path, toGgufBytes(content));
}
