/**
 * The header of a GGUF file: metadata and where each tensor lies, parsed by `@huggingface/gguf` and then held against
 * the file: a header may lie about every number in it. Reads no tensor and opens no connection: the parser asks for
 * ranges of an address, and gets them from the file.
 */
import { GatewayError, showValue } from "../../errors.ts";
import type { FileReader, Files } from "../../ports.ts";
import { GGML_TYPES, type GgmlType, ggmlBytes, toGgmlType } from "../../tensor/ggml-types.ts";

/** A value of the metadata; integers of 64 bits are bigint. */
export type MetadataValue = string | number | bigint | boolean | readonly MetadataValue[];

/** One tensor, by its own name in the file. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  /** Rows first, as in safetensors (the file has them the other way round). */
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Headers of published models take up to some ten MB (vocabulary and merges); the parser's own limit is 50 MB. */
const HEADER_LIMIT = 50_000_000;
/** More tensors than any model of the supported architectures has. */
const TENSOR_LIMIT = 65_536;
/** More values than any header has. */
const METADATA_LIMIT = 4096;
/** Dimensions of a tensor that we can use: a matrix or a vector. */
const DIMENSIONS_LIMIT = 2;
/** GGUF's fixed part: magic, version, number of tensors, number of values. */
const FIXED_BYTES = 24;
/** Versions in which lengths have 64 bits. 1 was replaced within weeks. */
const VERSIONS: readonly number[] = [2, 3];
/** Never opened: the parser's way of asking for ranges. */
const ADDRESS = "https://localhost/model.gguf";

const malformed = (path: string, message: string, tensor?: string): GatewayError =>
  new GatewayError("weights_malformed", `${path}: ${message}`, tensor === undefined ? {} : { tensor });

/** Counts are looked at before anything is read in loops over them. */
async function checkCounts(path: string, reader: FileReader): Promise<void> {
  if (reader.size < FIXED_BYTES) {
    throw new GatewayError(
      "weights_truncated",
      `${path} has ${reader.size} bytes; a GGUF file has at least ${FIXED_BYTES}.`,
    );
  }
  const first = await reader.read(0, FIXED_BYTES);
  if (String.fromCharCode(...first.subarray(0, 4)) !== "GGUF") {
    throw malformed(
      path,
      `it is no GGUF file: it begins with ${showValue([...first.subarray(0, 4)])}, not with "GGUF".`,
    );
  }
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  const version = view.getUint32(4, true);
  if (!VERSIONS.includes(version)) {
    throw malformed(
      path,
      `GGUF version ${version} is not supported; supported: ${VERSIONS.join(", ")}, little-endian.`,
    );
  }
  const tensors = view.getBigUint64(8, true);
  if (tensors > TENSOR_LIMIT)
    throw malformed(path, `it claims ${tensors} tensors; at most ${TENSOR_LIMIT} are accepted.`);
  const values = view.getBigUint64(16, true);
  if (values > METADATA_LIMIT) {
    throw malformed(path, `it claims ${values} metadata values; at most ${METADATA_LIMIT} are accepted.`);
  }
}

/** Answers the parser's range requests from the file; what lies beyond its end is an error, not zeros. */
function createRangeReader(path: string, reader: FileReader): typeof fetch {
  const answer = async (_: unknown, init?: { headers?: unknown }): Promise<Response> => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(String((init?.headers as Record<string, string> | undefined)?.Range));
    const from = Number(range?.[1] ?? 0);
    if (from >= reader.size || from >= HEADER_LIMIT) {
      throw new GatewayError(
        "weights_truncated",
        `${path}: its header goes on beyond ${Math.min(reader.size, HEADER_LIMIT)} bytes, ` +
          (from >= reader.size ? "where the file ends." : "more than is accepted."),
      );
    }
    const bytes = await reader.read(from, Math.min(Number(range?.[2] ?? 0) + 1, reader.size) - from);
    return new Response(bytes as Uint8Array<ArrayBuffer>, {
      headers: { "content-range": `bytes ${from}-${from + bytes.length - 1}/${reader.size}` },
    });
  };
  return answer as typeof fetch;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function parse(path: string, reader: FileReader) {
  // Loaded here: no other model needs it, and it takes its time.
  const { gguf } = await import("@huggingface/gguf");
  try {
    return await gguf(ADDRESS, { fetch: createRangeReader(path, reader) });
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw malformed(path, `its header cannot be read: ${reasonOf(error)}.`);
  }
}

/** One tensor's place, refused where it cannot be. */
function toTensor(
  path: string,
  info: { readonly name: string; readonly shape: readonly bigint[]; readonly dtype: number; readonly offset: bigint },
  data: { readonly start: number; readonly size: number; readonly alignment: number },
): GgufTensor {
  const { name } = info;
  const shown = `tensor ${showValue(name)}`;
  const type = toGgmlType(info.dtype);
  if (type === undefined) {
    const known = Object.keys(GGML_TYPES).join(", ");
    throw new GatewayError(
      "weights_dtype_mismatch",
      `${path}: ${shown} is of GGML type ${info.dtype}; read are ${known}.`,
      {
        tensor: name,
      },
    );
  }
  const shape = info.shape.map(Number).reverse();
  if (shape.length < 1 || shape.length > DIMENSIONS_LIMIT || shape.some((size) => size < 1)) {
    throw malformed(
      path,
      `${shown} has the shape [${shape}]; 1 or ${DIMENSIONS_LIMIT} dimensions of at least 1 are accepted.`,
      name,
    );
  }
  const columns = shape.at(-1)!;
  const byteLength = ggmlBytes(type, shape.length === 1 ? 1 : shape[0]!, columns);
  if (byteLength === undefined) {
    const { elements } = GGML_TYPES[type];
    throw malformed(path, `${shown} has rows of ${columns} elements; ${type} has blocks of ${elements}.`, name);
  }
  if (info.offset % BigInt(data.alignment) !== 0n) {
    throw malformed(
      path,
      `${shown} lies at ${info.offset}, which is no multiple of the alignment ${data.alignment}.`,
      name,
    );
  }
  const offset = data.start + Number(info.offset);
  if (offset + byteLength > data.size) {
    throw new GatewayError(
      "weights_truncated",
      `${path}: ${shown} (${type} [${shape}]) takes bytes ${offset} to ${offset + byteLength}; the file has ${data.size}.`,
      { tensor: name },
    );
  }
  return { name, type, shape, offset, byteLength };
}

/** Where the file does not say: gguf.md. */
const DEFAULT_ALIGNMENT = 32;
/** What gguf.md asks of an alignment. */
const ALIGNMENT_UNIT = 8;

/** The parser takes anything that is no positive number for the default, or for 1. */
function toAlignment(path: string, value: unknown): number {
  if (value === undefined) return DEFAULT_ALIGNMENT;
  const alignment = typeof value === "bigint" || typeof value === "number" ? Number(value) : Number.NaN;
  if (alignment > 0 && alignment % ALIGNMENT_UNIT === 0) return alignment;
  throw malformed(
    path,
    `general.alignment must be a multiple of ${ALIGNMENT_UNIT} above 0, got ${typeof value === "bigint" ? String(value) : showValue(value)}.`,
  );
}

/**
 * Each tensor begins where the one before ended, filled up to the alignment, and nothing follows the last: llama.cpp
 * reads no other file (gguf.cpp), and an offset or an alignment that lies shows here, where two tensors are alike.
 */
function checkLayout(
  path: string,
  tensors: readonly GgufTensor[],
  { start, size, alignment }: { readonly start: number; readonly size: number; readonly alignment: number },
): void {
  const align = (length: number) => Math.ceil(length / alignment) * alignment;
  let expected = 0;
  for (const { name, offset, byteLength } of tensors) {
    if (offset - start !== expected) {
      throw malformed(
        path,
        `tensor ${showValue(name)} lies at ${offset - start} of the data, ${expected} was expected: where the one before ends.`,
        name,
      );
    }
    expected += align(byteLength);
  }
  const last = tensors.at(-1);
  const rest = size - (last === undefined ? start : last.offset + last.byteLength);
  if (rest < alignment) return;
  throw malformed(
    path,
    `${rest} bytes follow the last tensor; fewer than the alignment (${alignment}) may.`,
    last?.name,
  );
}

/** Two tensors over the same bytes are a lie of one of them. */
function checkOverlap(path: string, tensors: readonly GgufTensor[]): void {
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset);
  for (const [index, tensor] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before === undefined || before.offset + before.byteLength <= tensor.offset) continue;
    throw malformed(path, `tensors ${showValue(before.name)} and ${showValue(tensor.name)} share bytes.`, tensor.name);
  }
}

/**
 * Reads and checks the header of an open file.
 *
 * @throws GatewayError `weights_malformed`, `weights_truncated`, `weights_duplicate_tensor` or `weights_dtype_mismatch`
 *   with names and numbers
 */
export async function readGgufHeader(path: string, reader: FileReader): Promise<GgufHeader> {
  await checkCounts(path, reader);
  const { metadata, tensorInfos, tensorDataOffset, tensorInfoByteRange } = await parse(path, reader);
  const end = tensorInfoByteRange[1];
  if (end > reader.size) {
    throw new GatewayError("weights_truncated", `${path}: its header takes ${end} bytes; the file has ${reader.size}.`);
  }
  const data = {
    start: Number(tensorDataOffset),
    size: reader.size,
    alignment: toAlignment(path, (metadata as Record<string, unknown>)["general.alignment"]),
  };
  const tensors = new Map<string, GgufTensor>();
  for (const info of tensorInfos) {
    if (tensors.has(info.name)) {
      throw new GatewayError("weights_duplicate_tensor", `${path} has tensor ${showValue(info.name)} twice.`, {
        tensor: info.name,
      });
    }
    tensors.set(info.name, toTensor(path, info, data));
  }
  checkOverlap(path, [...tensors.values()]);
  checkLayout(path, [...tensors.values()], data);
  return { path, metadata: new Map(Object.entries(metadata as Record<string, MetadataValue>)), tensors };
}

/** Opens a file. The caller closes the reader. @throws GatewayError `source_unreadable`, and what `readGgufHeader` throws */
export async function openGguf(
  files: Files,
  path: string,
): Promise<{ readonly header: GgufHeader; readonly reader: FileReader }> {
  let reader: FileReader;
  try {
    reader = await files.openRead(path);
  } catch (cause) {
    throw new GatewayError("source_unreadable", `${showValue(path)} cannot be opened: ${reasonOf(cause)}.`, { cause });
  }
  try {
    return { header: await readGgufHeader(path, reader), reader };
  } catch (error) {
    await reader.close();
    throw error;
  }
}
