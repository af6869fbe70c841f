/** Weights of a small Llama: from a bfloat16 safetensors file into float32 arrays, and back as tensors for the gateway. */
import { readFile } from "node:fs/promises";
import type { NamedTensor } from "../../../src/index.ts";
import type { Arena } from "./matmul.ts";

/** The part of `config.json` that the mathematics needs. */
export interface ModelConfig {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
}

/** One tensor: `[out, in]` as in the file, row-major. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The nearest bfloat16 (ties to even), as its 16 bits. */
export function toBfloat16(value: number): number {
  word[0] = value;
  const all = bits[0]!;
  return (all + 0x7fff + ((all >>> 16) & 1)) >>> 16;
}

/** Float32 of 16 bits of bfloat16. */
export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return word[0]!;
}

/** Reads `DIRECTORY/config.json` and `DIRECTORY/model.safetensors`. */
export async function readModel(
  directory: string,
  arena: Arena,
): Promise<{ readonly config: ModelConfig; readonly parameters: ReadonlyMap<string, Parameter> }> {
  const config = JSON.parse(await readFile(`${directory}/config.json`, "utf8")) as ModelConfig;
  const file = await readFile(`${directory}/model.safetensors`);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + headerBytes).toString()) as Record<
    string,
    { readonly dtype: string; readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }
  >;
  const parameters = new Map<string, Parameter>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (entry.dtype !== "BF16") throw new Error(`${name} is ${entry.dtype}; this example reads BF16`);
    const [begin, end] = entry.data_offsets;
    const values = arena.take((end - begin) / 2);
    for (let index = 0; index < values.length; index += 1) {
      values[index] = fromBfloat16(file.readUInt16LE(8 + headerBytes + begin + 2 * index));
    }
    parameters.set(name, { name, shape: entry.shape, values });
  }
  return { config, parameters };
}

/** The tensors as they travel: bfloat16, which is what the served model is made of. */
export function toTensors(parameters: Iterable<Parameter>): NamedTensor[] {
  return Array.from(parameters, ({ name, shape, values }) => ({
    name,
    shape,
    dtype: "bfloat16",
    data: Uint16Array.from(values, toBfloat16),
  }));
}
