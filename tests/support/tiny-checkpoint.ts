/** Writes tiny model directories of any form for the checkpoint tests: dtype, shards, tied or not, tokenizers with oddities. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createFiles } from "../../src/platform/shared/files.ts";
import type { Dtype } from "../../src/tensor/dtype.ts";
import { narrow, type WideableDtype } from "../../src/tensor/half.ts";
import { writeSafetensors } from "../../src/tensor/write.ts";

const files = createFiles();

export interface TinyTensor {
  readonly dtype?: Dtype;
  readonly shape: readonly number[];
  /** Default: numbers that differ everywhere. */
  readonly values?: readonly number[];
}

export interface TinyCheckpoint {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  readonly tokenizer?: Readonly<Record<string, unknown>>;
  readonly tokenizerConfig?: Readonly<Record<string, unknown>> | null;
  /** File → tensors; more than one file gets an index. */
  readonly weights?: Readonly<Record<string, Readonly<Record<string, TinyTensor>>>>;
  /** Further files. */
  readonly texts?: Readonly<Record<string, string>>;
}

const ROWS = 10;
const WIDTH = 4;

/** `a` to `j`. */
export const TINY_TOKENIZER = {
  version: "1.0",
  added_tokens: [] as unknown[],
  model: { type: "BPE", vocab: Object.fromEntries([..."abcdefghij"].map((letter, id) => [letter, id])), merges: [] },
};

export const TINY_CONFIG = { model_type: "llama", tie_word_embeddings: false, vocab_size: ROWS };

/** An untied model in one file. */
export const TINY_WEIGHTS = {
  "model.safetensors": {
    "model.embed_tokens.weight": { shape: [ROWS, WIDTH] },
    "model.layers.0.mlp.up_proj.weight": { shape: [ROWS, WIDTH] },
    "model.norm.weight": { shape: [WIDTH] },
    "lm_head.weight": { shape: [ROWS, WIDTH] },
  },
} as const satisfies TinyCheckpoint["weights"];

function bytesOf(name: string, { dtype = "F32", shape, values }: TinyTensor): Uint8Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const salt = name.length / 7;
  const numbers = values ?? Array.from({ length: count }, (_, index) => Math.sin(index * 1.7 + salt) / 8);
  if (dtype === "F32" || dtype === "F16" || dtype === "BF16") {
    return narrow(dtype as WideableDtype, Float32Array.from(numbers));
  }
  return new Uint8Array(count);
}

/** Creates `directory`. */
export async function writeTinyCheckpoint(directory: string, options: TinyCheckpoint = {}): Promise<void> {
  const { tokenizerConfig = {} } = options;
  const weights: NonNullable<TinyCheckpoint["weights"]> = options.weights ?? TINY_WEIGHTS;
  await mkdir(directory, { recursive: true });
  const json = (name: string, value: unknown): Promise<void> =>
    writeFile(join(directory, name), `${JSON.stringify(value, null, 2)}\n`);
  await json("config.json", options.config ?? TINY_CONFIG);
  if (options.generationConfig !== undefined) await json("generation_config.json", options.generationConfig);
  await json("tokenizer.json", options.tokenizer ?? TINY_TOKENIZER);
  if (tokenizerConfig !== null) await json("tokenizer_config.json", tokenizerConfig);
  for (const [name, text] of Object.entries(options.texts ?? {})) await writeFile(join(directory, name), text);
  const map: Record<string, string> = {};
  let total = 0;
  for (const [file, tensors] of Object.entries(weights)) {
    const writer = await files.openWrite(join(directory, file));
    const list = Object.entries(tensors).map(([name, tensor]) => {
      const bytes = bytesOf(name, tensor);
      map[name] = file;
      total += bytes.byteLength;
      return { name, dtype: tensor.dtype ?? ("F32" as const), shape: tensor.shape, data: () => bytes };
    });
    await writeSafetensors(writer, list, { format: "pt" });
    await writer.close();
  }
  if (Object.keys(weights).length > 1) {
    await json("model.safetensors.index.json", { metadata: { total_size: total }, weight_map: map });
  }
}
