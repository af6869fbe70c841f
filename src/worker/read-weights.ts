/**
 * Where each tensor of a model comes from (the directory, then the sets laid over it), whether they are exactly the
 * tensors that the configuration asks for, and their bytes: hashed as stored, widened to float32. Never holds the raw
 * bytes of more than one piece of one tensor.
 */
import type { WeightDigest } from "../contract/ids.ts";
import type { TensorSpec, WeightSet } from "../engine/engine.ts";
import { GatewayError, showValue } from "../errors.ts";
import type { Files, Sha256 } from "../ports.ts";
import { type DigestEntry, weightDigest } from "../tensor/digest.ts";
import { dequantize } from "../tensor/ggml-blocks.ts";
import { type GgmlType, isGgmlType } from "../tensor/ggml-types.ts";
import { openWeights } from "../tensor/weights.ts";
import { openGgufTensors, type TensorFiles } from "./gguf/tensors.ts";
import type { TensorPart } from "./graph/weight-plan.ts";

export interface TensorSource {
  /** Names, dtypes and shapes as stored, sorted by name. */
  readonly tensors: readonly TensorSpec[];
  /** Bytes as stored, over all tensors. */
  readonly totalBytes: number;
  /**
   * Writes one tensor, widened, to `target` (whose length is the tensor's). Call once for each tensor.
   *
   * @returns bytes read
   * @throws GatewayError `weights_non_finite` naming the tensor
   */
  read(name: string, target: Float32Array): Promise<number>;
  /** Of all tensors; after every one has been read. */
  digest(): WeightDigest;
  close(): Promise<void>;
}

/** Tables that old checkpoints store although they follow from the configuration. */
const isRotaryBuffer = (name: string) => name.endsWith(".rotary_emb.inv_freq");

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

const refuse = (
  code: "weights_missing_tensor" | "weights_unexpected_tensor" | "weights_shape_mismatch" | "weights_dtype_mismatch",
  tensor: string,
  message: string,
) => new GatewayError(code, message, { tensor });

/** Lays the layers over each other: a set that is not partial replaces all before it. */
async function openLayers(files: Files, directory: string, sets: readonly WeightSet[]): Promise<TensorFiles[]> {
  const complete = sets.findLastIndex((set) => !set.partial);
  const used = complete < 0 ? sets : sets.slice(complete);
  const opened: TensorFiles[] = [];
  const openBase = async () =>
    (await files.stat(directory))?.kind === "file" ? openGgufTensors(files, directory) : openWeights(files, directory);
  try {
    if (complete < 0) opened.push(await openBase());
    for (const set of used) opened.push(await openWeights(files, set.files));
    return opened;
  } catch (error) {
    await Promise.all(opened.map((weights) => weights.close()));
    throw error;
  }
}

function locate(opened: readonly TensorFiles[], parts: readonly TensorPart[], tied: boolean): Map<string, TensorFiles> {
  const expected = new Map(parts.map((part) => [part.name, part.shape]));
  const sources = new Map<string, TensorFiles>();
  for (const weights of opened) {
    for (const [name, { dtype, shape }] of weights.tensors) {
      if (isRotaryBuffer(name)) continue;
      const wanted = expected.get(name);
      if (wanted === undefined) {
        const why = tied && name === "lm_head.weight" ? " (its embeddings are tied: the head is the embedding)" : "";
        throw refuse("weights_unexpected_tensor", name, `Tensor ${showValue(name)} is not part of this model${why}.`);
      }
      if (!sameShape(shape, wanted)) {
        throw refuse(
          "weights_shape_mismatch",
          name,
          `Tensor ${name} must have shape ${showValue(wanted)} as the model's configuration says, got ${showValue(shape)}.`,
        );
      }
      if (!isGgmlType(dtype)) {
        throw refuse("weights_dtype_mismatch", name, `Tensor ${name} must be F32, F16 or BF16, got ${dtype}.`);
      }
      sources.set(name, weights);
    }
  }
  for (const name of expected.keys()) {
    if (!sources.has(name)) throw refuse("weights_missing_tensor", name, `Tensor ${name} is missing.`);
  }
  return sources;
}

/** Exponent bits all set: infinity or NaN. Works on the bits, where NaN payloads cannot be lost. */
function hasNonFinite(values: Float32Array): boolean {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < bits.length; index++) {
    if ((bits[index]! & 0x7f80_0000) === 0x7f80_0000) return true;
  }
  return false;
}

/** Copies whole rows, each to where it belongs. `from` is the first element's place in the file's order. */
function placeRows(
  values: Float32Array,
  target: Float32Array,
  { columns, from, order }: { columns: number; from: number; order: (row: number) => number },
): void {
  for (let at = 0; at < values.length; at += columns) {
    target.set(values.subarray(at, at + columns), order((from + at) / columns) * columns);
  }
}

/**
 * @param parts exactly the tensors that the model has
 * @param sha256 hashes the bytes as stored
 * @throws GatewayError `weights_missing_tensor`, `weights_unexpected_tensor`, `weights_shape_mismatch`,
 *   `weights_dtype_mismatch`, each with `details.tensor`; and what opening the files throws
 */
export async function openTensorSource(options: {
  readonly files: Files;
  readonly directory: string;
  readonly sets: readonly WeightSet[];
  readonly parts: readonly TensorPart[];
  readonly tiedEmbeddings: boolean;
  readonly sha256: () => Sha256;
}): Promise<TensorSource> {
  const opened = await openLayers(options.files, options.directory, options.sets);
  const close = async () => void (await Promise.all(opened.map((weights) => weights.close())));
  try {
    const sources = locate(opened, options.parts, options.tiedEmbeddings);
    const entryOf = (name: string) => sources.get(name)!.tensors.get(name)!;
    const names = [...sources.keys()].sort();
    const hashed: DigestEntry[] = [];
    return {
      tensors: names.map((name) => ({ name, dtype: entryOf(name).dtype, shape: entryOf(name).shape })),
      totalBytes: names.reduce((sum, name) => sum + entryOf(name).byteLength, 0),
      async read(name, target) {
        const { dtype, shape, byteLength } = entryOf(name);
        const source = sources.get(name)!;
        const order = source.rowOrder?.(name);
        const hash = options.sha256();
        let done = 0;
        for await (const bytes of source.chunks(name)) {
          hash.update(bytes);
          const values = dequantize(dtype as GgmlType, bytes);
          if (hasNonFinite(values)) {
            throw new GatewayError("weights_non_finite", `Tensor ${name} holds NaN or infinite values.`, {
              tensor: name,
            });
          }
          if (order === undefined) target.set(values, done);
          else placeRows(values, target, { columns: shape[1] ?? 1, from: done, order });
          done += values.length;
        }
        hashed.push({ name, dtype, shape, sha256: hash.hex() });
        return byteLength;
      },
      digest: () => weightDigest(hashed, options.sha256),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
