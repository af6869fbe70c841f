/**
 * The tensors of a GGUF file under their Hugging Face names, bytes as stored. llama.cpp's converter turns the rows of
 * Llama's query and key projections for its own rotary layout; where they belong is said here, by whom they are read.
 */
import type { FileReader, Files } from "../../ports.ts";
import { type GgufHeader, type GgufTensor, openGguf } from "./header.ts";
import { createMetadata } from "./metadata.ts";
import { toGgufArchitecture } from "./model-json.ts";

/** Tensors by name with their bytes: what a model's weights are read from. */
export interface TensorFiles {
  readonly tensors: ReadonlyMap<
    string,
    { readonly dtype: string; readonly shape: readonly number[]; readonly byteLength: number; readonly file?: string }
  >;
  /** All bytes of a tensor in order, in whole rows where rows are in another order than in the model. */
  chunks(name: string): AsyncIterable<Uint8Array>;
  /** Floats are taken in place of these tensors: no trainer sends their types. */
  readonly castable?: boolean;
  /** Where row i of the file belongs in the model; undefined: where it is. */
  rowOrder?(name: string): ((row: number) => number) | undefined;
  close(): Promise<void>;
}

const TOP: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};
const IN_LAYER: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** Tables that follow from the metadata, or are read with it (model-config). */
const isRotaryTable = (name: string) => /(^|\.)rope_(freqs|factors_long|factors_short)\.weight$/.test(name);

/** The Hugging Face name of a tensor; its own where it has none, so that it is refused by a name that is in the file. */
export function toModelName(name: string): string {
  const top = Object.hasOwn(TOP, name) ? TOP[name] : undefined;
  if (top !== undefined) return top;
  const [, layer, kind = "", part] = /^blk\.(\d+)\.([a-z_]+)\.(weight|bias)$/.exec(name) ?? [];
  const module = Object.hasOwn(IN_LAYER, kind) ? IN_LAYER[kind] : undefined;
  return module === undefined ? name : `model.layers.${layer}.${module}.${part}`;
}

/**
 * Row of the model for a row of the file: the converter's `permute` (reshape [heads, 2, D/2, …], swap the middle axes)
 * undone.
 */
export function toRotaryRow(row: number, headDim: number): number {
  const inner = row % headDim;
  return row - inner + (inner % 2) * (headDim / 2) + (inner >> 1);
}

/** Bytes per piece that is read at a time. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Pieces of whole rows. */
async function* readRows(reader: FileReader, { shape, offset, byteLength }: GgufTensor): AsyncIterable<Uint8Array> {
  const rows = shape.length === 2 ? shape[0]! : 1;
  const row = byteLength / rows;
  const piece = Math.max(1, Math.floor(PIECE_BYTES / row)) * row;
  for (let done = 0; done < byteLength; done += piece) {
    yield await reader.read(offset + done, Math.min(piece, byteLength - done));
  }
}

function toTensorFiles(header: GgufHeader, reader: FileReader): TensorFiles {
  const metadata = createMetadata(header);
  const { own } = toGgufArchitecture(metadata);
  const tensors = new Map<string, GgufTensor & { readonly dtype: string }>();
  for (const tensor of header.tensors.values()) {
    if (!isRotaryTable(tensor.name)) tensors.set(toModelName(tensor.name), { ...tensor, dtype: tensor.type });
  }
  const turned = own === "llama" || own === "mistral" ? /\.(q_proj|k_proj)\.(weight|bias)$/ : null;
  const heads = metadata.count(`${own}.attention.head_count`) ?? 1;
  const headDim =
    metadata.count(`${own}.attention.key_length`) ?? (metadata.count(`${own}.embedding_length`) ?? 0) / heads;
  return {
    tensors,
    castable: true,
    chunks: (name) => readRows(reader, tensors.get(name)!),
    rowOrder: (name) => (turned?.test(name) ? (row) => toRotaryRow(row, headDim) : undefined),
    close: () => reader.close(),
  };
}

/** Opens the tensors of a file. The caller closes it. */
export async function openGgufTensors(files: Files, path: string): Promise<TensorFiles> {
  const { header, reader } = await openGguf(files, path);
  try {
    return toTensorFiles(header, reader);
  } catch (error) {
    await reader.close();
    throw error;
  }
}
