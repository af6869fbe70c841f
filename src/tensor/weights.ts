/**
 * A set of safetensors files as one read-only map of tensors. Every size is checked when it is opened; bytes are read
 * on demand. A shard index is untrusted: it may name neighbours only, and must agree with what the shards hold.
 */
import { GatewayError, showValue } from "../errors.ts";
import { JsonObject, parseStrictJson } from "../lib/strict-json.ts";
import type { FileReader, Files } from "../ports.ts";
import type { Dtype } from "./dtype.ts";
import {
  LENGTH_BYTES,
  parseHeaderLength,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from "./safetensors.ts";

export const SINGLE_FILE = "model.safetensors";
export const INDEX_FILE = "model.safetensors.index.json";

/** More shards than any published checkpoint has (DeepSeek-V3: 163); bounds what a bad index can make us open. */
const SHARD_LIMIT = 4096;

/** Bytes per piece of `chunks`; small enough that the event loop breathes between two. */
export const CHUNK_BYTES = 4 * 2 ** 20;

export interface WeightTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Path of the file that holds it. */
  readonly file: string;
}

export interface Weights {
  /** By name; within one file in the order of the bytes. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
  /** Paths, in the order they were opened. */
  readonly files: readonly string[];
  /** All bytes of one tensor, little-endian, row-major. Throws GatewayError `weights_missing_tensor` for an unknown name. */
  read(name: string): Promise<Uint8Array>;
  /** The same in order, in pieces of at most `size` bytes (default 4 MiB). */
  chunks(name: string, size?: number): AsyncIterable<Uint8Array>;
  /** Closes all files; idempotent. */
  close(): Promise<void>;
}

const unreadable = (message: string, cause?: unknown): GatewayError =>
  new GatewayError("source_unreadable", message, cause === undefined ? {} : { cause });

/**
 * Reads `weight_map` of a shard index: tensor name → file name, both as written.
 * Throws GatewayError `weights_malformed` for a file name that is more than a name, `weights_duplicate_tensor` for a doubled tensor.
 */
export function parseShardIndex(text: string, path: string): ReadonlyMap<string, string> {
  let index: unknown;
  try {
    index = parseStrictJson(text);
  } catch (cause) {
    throw new GatewayError("weights_malformed", `${path} is not valid JSON.`, { cause });
  }
  const maps = index instanceof JsonObject ? index.entries.filter(([key]) => key === "weight_map") : [];
  const map = maps.length === 1 ? maps[0]?.[1] : undefined;
  if (!(map instanceof JsonObject)) {
    throw new GatewayError("weights_malformed", `${path} must hold one object weight_map: tensor name → file name.`);
  }
  const out = new Map<string, string>();
  for (const [name, file] of map.entries) {
    if (typeof file !== "string" || !/^[^/\\:\0]+\.safetensors$/.test(file) || file.startsWith(".")) {
      throw new GatewayError(
        "weights_malformed",
        `${path}: tensor ${showValue(name)} is said to be in ${showValue(file)}; only the name of a .safetensors file beside the index is accepted.`,
        { tensor: name },
      );
    }
    if (out.has(name)) {
      throw new GatewayError("weights_duplicate_tensor", `${path} names tensor ${showValue(name)} twice.`, {
        tensor: name,
      });
    }
    out.set(name, file);
  }
  return out;
}

interface Located {
  readonly files: readonly string[];
  /** From a shard index: tensor name → path. */
  readonly index: ReadonlyMap<string, string> | null;
}

/**
 * Which files make up a checkpoint: a directory (`model.safetensors`, else `model.safetensors.index.json`) or one file.
 * Throws GatewayError `source_unreadable` naming what is accepted.
 */
export async function locateWeights(files: Files, path: string): Promise<Located> {
  const stat = await files.stat(path);
  if (stat?.kind === "file") return { files: [path], index: null };
  if (stat?.kind !== "directory") {
    throw unreadable(
      `${showValue(path)} ${stat === undefined ? "does not exist" : "is neither a file nor a directory"}; a model directory or one .safetensors file is accepted.`,
    );
  }
  const single = files.resolve(path, SINGLE_FILE);
  if ((await files.stat(single))?.kind === "file") return { files: [single], index: null };
  const indexPath = files.resolve(path, INDEX_FILE);
  if ((await files.stat(indexPath))?.kind !== "file") {
    throw unreadable(`${showValue(path)} holds neither ${SINGLE_FILE} nor ${INDEX_FILE}.`);
  }
  const index = parseShardIndex(await files.readText(indexPath), indexPath);
  const names = [...new Set(index.values())].sort();
  if (names.length > SHARD_LIMIT) {
    throw new GatewayError(
      "weights_malformed",
      `${indexPath} names ${names.length} files; at most ${SHARD_LIMIT} are accepted.`,
    );
  }
  const paths = new Map(names.map((name) => [name, files.resolve(path, name)]));
  return { files: [...paths.values()], index: new Map([...index].map(([name, file]) => [name, paths.get(file)!])) };
}

async function openOne(files: Files, path: string): Promise<FileReader> {
  try {
    return await files.openRead(path);
  } catch (cause) {
    throw unreadable(
      `${showValue(path)} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}.`,
      cause,
    );
  }
}

/** Reads and checks the header of an open file. `limit`: see `parseHeaderLength`. */
export async function readHeader(reader: FileReader, limit?: number): Promise<SafetensorsHeader> {
  const first = await reader.read(0, Math.min(LENGTH_BYTES, reader.size));
  const length = parseHeaderLength(first, reader.size, limit);
  return parseSafetensorsHeader(await reader.read(0, LENGTH_BYTES + length), reader.size);
}

/** The refusals of a header, said of its file. */
async function readHeaderOf(path: string, reader: FileReader): Promise<SafetensorsHeader> {
  try {
    return await readHeader(reader);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(error.code, `${path}: ${error.message}`, { ...error.details, cause: error.cause });
  }
}

/** Every tensor is where the index says, and the shards hold nothing else. */
function checkIndex(index: ReadonlyMap<string, string>, tensors: ReadonlyMap<string, WeightTensor>): void {
  for (const [name, path] of index) {
    if (tensors.get(name)?.file === path) continue;
    throw new GatewayError(
      "weights_missing_tensor",
      `The index says that ${path} holds tensor ${showValue(name)}; it does not.`,
      {
        tensor: name,
      },
    );
  }
  for (const [name, { file }] of tensors) {
    if (index.has(name)) continue;
    throw new GatewayError(
      "weights_malformed",
      `${file} holds tensor ${showValue(name)}, which the index does not name.`,
      {
        tensor: name,
      },
    );
  }
}

/**
 * Opens a checkpoint: a directory, one file, or a list of files (shards without an index).
 * The caller must `close` it.
 *
 * @throws GatewayError `source_unreadable`, or a `weights_*` code with `details.tensor`; nothing stays open then.
 */
export async function openWeights(files: Files, pathOrFiles: string | readonly string[]): Promise<Weights> {
  const located: Located =
    typeof pathOrFiles === "string" ? await locateWeights(files, pathOrFiles) : { files: pathOrFiles, index: null };
  const readers = new Map<string, FileReader>();
  const entries = new Map<string, TensorEntry & WeightTensor>();
  const close = async (): Promise<void> => {
    const open = [...readers.values()];
    readers.clear();
    await Promise.all(open.map((reader) => reader.close()));
  };
  try {
    for (const path of located.files) {
      const reader = await openOne(files, path);
      readers.set(path, reader);
      for (const entry of (await readHeaderOf(path, reader)).tensors) {
        const other = entries.get(entry.name);
        if (other !== undefined) {
          throw new GatewayError(
            "weights_duplicate_tensor",
            `Tensor ${showValue(entry.name)} is in ${other.file} and again in ${path}.`,
            { tensor: entry.name },
          );
        }
        entries.set(entry.name, { ...entry, file: path });
      }
    }
    if (located.index !== null) checkIndex(located.index, entries);
  } catch (error) {
    await close();
    throw error;
  }

  const find = (name: string): { entry: TensorEntry; reader: FileReader } => {
    const entry = entries.get(name);
    const reader = entry === undefined ? undefined : readers.get(entry.file);
    if (entry === undefined || reader === undefined) {
      throw new GatewayError("weights_missing_tensor", `There is no tensor ${showValue(name)} in these weights.`, {
        tensor: name,
      });
    }
    return { entry, reader };
  };
  return {
    tensors: entries,
    files: located.files,
    read(name) {
      const { entry, reader } = find(name);
      return reader.read(entry.offset, entry.byteLength);
    },
    async *chunks(name, size = CHUNK_BYTES) {
      const { entry, reader } = find(name);
      for (let done = 0; done < entry.byteLength; done += size) {
        yield await reader.read(entry.offset + done, Math.min(size, entry.byteLength - done));
      }
    },
    close,
  };
}
