/**
 * Where each tensor of a model comes from (the directory, then the sets laid over it), whether they are exactly the
 * tensors that the configuration asks for, and their bytes: hashed as stored, widened to float32. Never holds the raw
 * bytes of more than one piece of one tensor.
 */
import type { WeightDigest } from "../contract/ids.ts";
import type { TensorSpec, WeightSet } from "../engine/engine.ts";
import type { Files, Sha256 } from "../ports.ts";
import { type DigestEntry, weightDigest } from "../tensor/digest.ts";
import { type CodedValues, dequantize, unpackBlocks } from "../tensor/ggml-blocks.ts";
import { type GgmlBlockType, type GgmlType, isBlockType, isGgmlType } from "../tensor/ggml-types.ts";
import { allFinite, isWideable, widenFinite } from "../tensor/half.ts";
import { openWeights } from "../tensor/weights.ts";
import { openGgufTensors, type TensorFiles } from "./gguf/tensors.ts";
import type { TensorPart } from "./graph/weight-plan.ts";
import { freeMemory } from "./native/memory.ts";
import { missingTensor, nonFinite, otherHead, unexpectedTensor, wrongShape, wrongType } from "./weight-refusals.ts";

/** Takes a tensor's values piece by piece; a Float32Array is one. */
export interface ValueSink {
  set(values: Float32Array, offset: number): void;
}

export interface TensorSource {
  /** Names, dtypes and shapes as stored, sorted by name. */
  readonly tensors: readonly TensorSpec[];
  /** Bytes as stored, over all tensors. */
  readonly totalBytes: number;
  /**
   * Writes one tensor, widened, to `target` (which has room for it). Call once for each tensor.
   *
   * @returns bytes read
   * @throws GatewayError `weights_non_finite` naming the tensor
   */
  read(name: string, target: ValueSink): Promise<number>;
  /** The type of a tensor whose elements share scales; null for plain floats. */
  blockType(name: string): GgmlBlockType | null;
  /** Whether the file of the model itself has this tensor in blocks, whatever lies over it now. */
  wasBlocks(name: string): boolean;
  /**
   * In place of `read`, for a tensor in blocks: its codes in pieces of whole rows.
   *
   * @param place gets a piece, and where its row i belongs in the tensor
   */
  readCodes(name: string, place: (values: CodedValues, toRow: (row: number) => number) => void): Promise<number>;
  /** Of all tensors; after every one has been read. */
  digest(): WeightDigest;
  close(): Promise<void>;
}

/** Tables that old checkpoints store although they follow from the configuration. */
const isRotaryBuffer = (name: string) => name.endsWith(".rotary_emb.inv_freq");

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

/** Lays the layers over each other: a set that is not partial replaces all before it. */
async function openLayers(
  files: Files,
  directory: string,
  sets: readonly WeightSet[],
): Promise<{ readonly opened: TensorFiles[]; readonly base: TensorFiles | null }> {
  const complete = sets.findLastIndex((set) => !set.partial);
  const used = complete < 0 ? sets : sets.slice(complete);
  const opened: TensorFiles[] = [];
  let base: TensorFiles | null = null;
  try {
    // A GGUF file says what its tensors are held as, also when others have taken their place.
    if ((await files.stat(directory))?.kind === "file") base = await openGgufTensors(files, directory);
    else if (complete < 0) base = await openWeights(files, directory);
    if (base !== null && complete < 0) opened.push(base);
    for (const set of used) opened.push(await openWeights(files, set.files));
    return { opened, base };
  } catch (error) {
    await Promise.all([base, ...opened].map((weights) => weights?.close()));
    throw error;
  }
}

const HEAD = "lm_head.weight";
const EMBEDDING = "model.embed_tokens.weight";

interface Located {
  readonly sources: ReadonlyMap<string, TensorFiles>;
  /** A tied model whose own files hold the head as well (Qwen3-0.6B does): it must be the embedding. */
  readonly doubledHead: boolean;
}

/** @param base the model's own files: only they are named in a refusal, and only they may hold a tied head */
function locate(
  opened: readonly TensorFiles[],
  parts: readonly TensorPart[],
  { tied, base, directory }: { tied: boolean; base: TensorFiles | null; directory: string },
): Located {
  const expected = new Map(parts.map((part) => [part.name, part.shape]));
  const sources = new Map<string, TensorFiles>();
  let doubledHead = false;
  for (const weights of opened) {
    for (const [name, { dtype, shape, file }] of weights.tensors) {
      if (isRotaryBuffer(name)) continue;
      const place = weights === base ? (file ?? directory) : undefined;
      if (tied && name === HEAD && weights === base) {
        doubledHead = true;
        continue;
      }
      const wanted = expected.get(name);
      if (wanted === undefined) throw unexpectedTensor(name, place, tied);
      if (!sameShape(shape, wanted)) throw wrongShape(name, place, shape, wanted);
      if (!isGgmlType(dtype)) throw wrongType(name, place, dtype);
      sources.set(name, weights);
    }
  }
  const only = opened.every((weights) => weights === base);
  for (const name of expected.keys()) {
    if (!sources.has(name)) throw missingTensor(name, only ? directory : undefined);
  }
  return { sources, doubledHead };
}

/** Index of the first NaN or infinity; −1 when there is none. */
const findNonFinite = (values: Float32Array): number =>
  allFinite(values) ? -1 : values.findIndex((value) => !Number.isFinite(value));

/** The bytes of both, side by side. */
async function checkTiedHead(base: TensorFiles, directory: string, sha256: () => Sha256): Promise<void> {
  const [head, embedding] = [base.tensors.get(HEAD), base.tensors.get(EMBEDDING)];
  if (head === undefined || embedding === undefined) return;
  const digestOf = async (name: string): Promise<string> => {
    const hash = sha256();
    for await (const bytes of base.chunks(name)) hash.update(bytes);
    return hash.hex();
  };
  const alike = head.dtype === embedding.dtype && sameShape(head.shape, embedding.shape);
  if (alike && (await digestOf(HEAD)) === (await digestOf(EMBEDDING))) return;
  throw otherHead(HEAD, head.file ?? directory);
}

const toBlockType = (dtype: string): GgmlBlockType | null => (isBlockType(dtype) ? dtype : null);

/** Copies whole rows, each to where it belongs. `from` is the first element's place in the file's order. */
function placeRows(
  values: Float32Array,
  target: ValueSink,
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
  const { opened, base } = await openLayers(options.files, options.directory, options.sets);
  const close = async () => void (await Promise.all([base, ...opened].map((weights) => weights?.close())));
  try {
    const { directory, sha256 } = options;
    const { sources, doubledHead } = locate(opened, options.parts, { tied: options.tiedEmbeddings, base, directory });
    if (doubledHead && base !== null) await checkTiedHead(base, directory, sha256);
    const entryOf = (name: string) => sources.get(name)!.tensors.get(name)!;
    const names = [...sources.keys()].sort();
    const hashed: DigestEntry[] = [];
    const refuseNonFinite = (name: string, index: number, value: number): never => {
      const { shape, file } = entryOf(name);
      throw nonFinite(name, sources.get(name) === base ? (file ?? directory) : undefined, { index, value, shape });
    };
    const checkFinite = (name: string, values: Float32Array, first: number, group = 1): void => {
      const index = findNonFinite(values);
      if (index >= 0) refuseNonFinite(name, first + index * group, values[index]!);
    };
    const eachPiece = async (name: string, visit: (type: GgmlType, bytes: Uint8Array) => void): Promise<number> => {
      const { dtype, shape, byteLength } = entryOf(name);
      const hash = sha256();
      for await (const bytes of sources.get(name)!.chunks(name)) {
        hash.update(bytes);
        visit(dtype as GgmlType, bytes);
      }
      hashed.push({ name, dtype, shape, sha256: hash.hex() });
      return byteLength;
    };
    return {
      tensors: names.map((name) => ({
        name,
        dtype: entryOf(name).dtype,
        shape: entryOf(name).shape,
        ...(base?.castable === true ? { castable: true } : {}),
      })),
      totalBytes: names.reduce((sum, name) => sum + entryOf(name).byteLength, 0),
      async read(name, target) {
        const columns = entryOf(name).shape[1] ?? 1;
        const order = sources.get(name)!.rowOrder?.(name);
        let done = 0;
        return await eachPiece(name, (type, bytes) => {
          if (order === undefined && target instanceof Float32Array && isWideable(type)) {
            const count = bytes.byteLength / (type === "F32" ? 4 : 2);
            const piece = target.subarray(done, done + count);
            if (!widenFinite(type, bytes, piece)) checkFinite(name, piece, done);
            done += count;
            return;
          }
          const values = dequantize(type, bytes);
          checkFinite(name, values, done);
          if (order === undefined) target.set(values, done);
          else placeRows(values, target, { columns, from: done, order });
          done += values.length;
          // The collector sees a small object; what it holds may be all that a budget leaves.
          freeMemory(values);
        });
      },
      blockType: (name) => toBlockType(entryOf(name).dtype),
      wasBlocks: (name) => toBlockType(base?.tensors.get(name)?.dtype ?? "") !== null,
      async readCodes(name, place) {
        const columns = entryOf(name).shape[1] ?? 1;
        const order = sources.get(name)!.rowOrder?.(name) ?? ((row: number) => row);
        let row = 0;
        return await eachPiece(name, (type, bytes) => {
          const values = unpackBlocks(type as GgmlBlockType, bytes);
          const first = row;
          checkFinite(name, values.scales, first * columns, values.group);
          if (values.minima !== null) checkFinite(name, values.minima, first * columns, values.group);
          place(values, (index) => order(first + index));
          row += values.codes.length / columns;
        });
      },
      digest: () => weightDigest(hashed, sha256),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
