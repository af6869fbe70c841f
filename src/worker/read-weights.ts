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
import { isWideable, widen } from "../tensor/half.ts";
import { openWeights, type Weights } from "../tensor/weights.ts";
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
async function openLayers(files: Files, directory: string, sets: readonly WeightSet[]): Promise<Weights[]> {
  const complete = sets.findLastIndex((set) => !set.partial);
  const used = complete < 0 ? sets : sets.slice(complete);
  const opened: Weights[] = [];
  try {
    if (complete < 0) opened.push(await openWeights(files, directory));
    for (const set of used) opened.push(await openWeights(files, set.files));
    return opened;
  } catch (error) {
    await Promise.all(opened.map((weights) => weights.close()));
    throw error;
  }
}

function locate(opened: readonly Weights[], parts: readonly TensorPart[], tied: boolean): Map<string, Weights> {
  const expected = new Map(parts.map((part) => [part.name, part.shape]));
  const sources = new Map<string, Weights>();
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
          `Tensor ${name} must have shape ${showValue(wanted)} as config.json says, got ${showValue(shape)}.`,
        );
      }
      if (!isWideable(dtype)) {
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
        if (!isWideable(dtype)) throw new Error(`${name}: ${dtype} was accepted`);
        const hash = options.sha256();
        let done = 0;
        for await (const bytes of sources.get(name)!.chunks(name)) {
          hash.update(bytes);
          const values = widen(dtype, bytes);
          if (hasNonFinite(values)) {
            throw new GatewayError("weights_non_finite", `Tensor ${name} holds NaN or infinite values.`, {
              tensor: name,
            });
          }
          target.set(values, done);
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
