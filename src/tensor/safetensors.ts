/**
 * The header of a safetensors file. As strict as the reference library 0.8.0 (`safetensors/src/tensor.rs`), and
 * stricter in one point: a doubled tensor name is refused, where the reference keeps the last. No I/O here.
 *
 * Layout: 8 bytes little-endian length N, N bytes of JSON `{name: {dtype, shape, data_offsets: [begin, end]}}`
 * (offsets count from byte 8 + N), then the data without holes, overlaps or anything after it.
 */
import { GatewayError, showValue } from "../errors.ts";
import { JsonNumber, JsonObject, type JsonValue, parseStrictJson } from "../lib/strict-json.ts";
import { DTYPES, type Dtype, isDtype, tensorBytes } from "./dtype.ts";

/** The reference library's own bound. */
export const HEADER_LIMIT = 100_000_000;

/** Bytes of the length field before the header. */
export const LENGTH_BYTES = 8;

/** One tensor of one file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Where its bytes begin, from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly tensors: readonly TensorEntry[];
  /** The free `__metadata__` strings; null when there are none. */
  readonly metadata: ReadonlyMap<string, string> | null;
  /** Where the tensor bytes begin: 8 + length of the header. */
  readonly dataStart: number;
  /** What the file's size must be. */
  readonly fileSize: number;
}

const malformed = (message: string, tensor?: string): GatewayError =>
  new GatewayError("weights_malformed", message, tensor === undefined ? {} : { tensor });

/**
 * Length of the JSON header, from the first 8 bytes; bounded before anything is read.
 *
 * @param fileSize bytes of the whole file, null when not yet known (a stream).
 * @param limit bytes of header to accept, for a caller who knows how much there can be.
 * @throws GatewayError `weights_truncated` | `weights_malformed`.
 */
export function parseHeaderLength(bytes: Uint8Array, fileSize: number | null, limit = HEADER_LIMIT): number {
  if (bytes.byteLength < LENGTH_BYTES) {
    throw new GatewayError(
      "weights_truncated",
      `A safetensors file begins with 8 bytes of header length; this one has ${bytes.byteLength} bytes.`,
    );
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(limit)) {
    throw malformed(`The header claims ${length} bytes; at most ${limit} are accepted. Is this a safetensors file?`);
  }
  if (fileSize !== null && LENGTH_BYTES + Number(length) > fileSize) {
    throw new GatewayError(
      "weights_truncated",
      `The header claims ${length} bytes, but the file has only ${fileSize - LENGTH_BYTES} after the length field.`,
    );
  }
  return Number(length);
}

function natural(value: JsonValue | undefined): number | undefined {
  return value instanceof JsonNumber ? value.natural : undefined;
}

function naturals(value: JsonValue | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const list = (value as readonly JsonValue[]).map(natural);
  return list.includes(undefined) ? undefined : (list as number[]);
}

interface RawEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const FIELDS = ["dtype", "shape", "data_offsets"] as const;

/** The reference accepts an entry written as a list in field order, and ignores unknown fields. */
function fieldsOf(name: string, value: JsonValue): ReadonlyMap<string, JsonValue> {
  const shown = showValue(name);
  const found = new Map<string, JsonValue>();
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    if (items.length !== FIELDS.length)
      throw malformed(`Tensor ${shown}: a list must hold ${FIELDS.join(", ")}.`, name);
    FIELDS.forEach((field, index) => {
      found.set(field, items[index]!);
    });
    return found;
  }
  if (!(value instanceof JsonObject))
    throw malformed(`Tensor ${shown} must be an object of ${FIELDS.join(", ")}.`, name);
  for (const [field, item] of value.entries) {
    if (!(FIELDS as readonly string[]).includes(field)) continue;
    if (found.has(field)) throw malformed(`Tensor ${shown} has the field ${field} twice.`, name);
    found.set(field, item);
  }
  for (const field of FIELDS) {
    if (!found.has(field)) throw malformed(`Tensor ${shown} lacks the field ${field}.`, name);
  }
  return found;
}

function parseEntry(name: string, value: JsonValue): RawEntry {
  const shown = showValue(name);
  const fields = fieldsOf(name, value);
  const dtype = fields.get("dtype");
  if (typeof dtype !== "string" || !isDtype(dtype)) {
    throw malformed(`Tensor ${shown} has the dtype ${showValue(dtype)}; accepted are ${DTYPES.join(", ")}.`, name);
  }
  const shape = naturals(fields.get("shape"));
  if (shape === undefined) throw malformed(`Tensor ${shown}: shape must be a list of integers from 0 up.`, name);
  const [begin, end, ...rest] = naturals(fields.get("data_offsets")) ?? [];
  if (begin === undefined || end === undefined || rest.length > 0) {
    throw malformed(`Tensor ${shown}: data_offsets must be two integers from 0 up, [begin, end].`, name);
  }
  return { name, dtype, shape, begin, end };
}

function parseMetadata(value: JsonValue): ReadonlyMap<string, string> | null {
  if (value === null) return null;
  if (!(value instanceof JsonObject)) throw malformed("__metadata__ must be an object of strings.");
  const out = new Map<string, string>();
  for (const [key, item] of value.entries) {
    if (typeof item !== "string") throw malformed(`__metadata__.${showValue(key)} must be a string.`);
    out.set(key, item);
  }
  return out;
}

function parseObject(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new GatewayError("weights_malformed", "The safetensors header is not UTF-8.", { cause });
  }
  let value: JsonValue;
  try {
    value = parseStrictJson(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError("weights_malformed", `The safetensors header is not valid JSON: ${reason}.`, { cause });
  }
  if (!(value instanceof JsonObject)) throw malformed("The safetensors header must be a JSON object of tensors.");
  return value;
}

/** Offsets must cover the data exactly: each tensor begins where the one before ended. Returns the data's size. */
function checkLayout(entries: readonly RawEntry[]): number {
  let expected = 0;
  for (const { name, dtype, shape, begin, end } of entries) {
    const shown = showValue(name);
    if (begin !== expected || end < begin) {
      const why =
        end < begin ? "end before they begin" : begin < expected ? "overlap the tensor before" : "leave a hole before";
      throw malformed(`Tensor ${shown}: data_offsets [${begin}, ${end}] ${why}; ${expected} was expected.`, name);
    }
    const bytes = tensorBytes(dtype, shape);
    if (bytes !== end - begin) {
      const needs = bytes === undefined ? "no possible number of" : `${bytes}`;
      throw malformed(
        `Tensor ${shown}: ${dtype} [${shape}] needs ${needs} bytes, its offsets give ${end - begin}.`,
        name,
      );
    }
    expected = end;
  }
  return expected;
}

/** Compares the size that the header asks for with the size there is; names the tensor that is cut. */
function checkSize(header: SafetensorsHeader, fileSize: number): void {
  if (fileSize === header.fileSize) return;
  if (fileSize > header.fileSize) {
    throw malformed(
      `${fileSize - header.fileSize} bytes follow the last tensor; nothing may.`,
      header.tensors.at(-1)?.name,
    );
  }
  const cut = header.tensors.find((tensor) => tensor.offset + tensor.byteLength > fileSize);
  throw new GatewayError(
    "weights_truncated",
    `The file ends inside tensor ${showValue(cut?.name)}: ${fileSize} bytes instead of ${header.fileSize}.`,
    cut === undefined ? {} : { tensor: cut.name },
  );
}

/**
 * Parses and fully checks a header.
 *
 * @param bytes at least the first 8 + N bytes of the file; more is ignored.
 * @param fileSize bytes of the whole file; null when not yet known, then the caller compares with `fileSize` of the result.
 * @throws GatewayError `weights_malformed`, `weights_truncated` or `weights_duplicate_tensor`, with `details.tensor`
 * where one is at fault.
 *
 * @example
 * ```ts
 * import { parseSafetensorsHeader } from "./safetensors.ts";
 * const json = '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
 * const file = new Uint8Array([json.length, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(json), ...new Uint8Array(8)]);
 * const header = parseSafetensorsHeader(file, file.length);
 * if (header.tensors[0]?.name !== "w" || header.tensors[0].byteLength !== 8) throw new Error("not read");
 * ```
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileSize: number | null): SafetensorsHeader {
  const dataStart = LENGTH_BYTES + parseHeaderLength(bytes, fileSize);
  if (bytes.byteLength < dataStart) {
    throw new GatewayError("weights_truncated", `The header needs ${dataStart} bytes, ${bytes.byteLength} are there.`);
  }
  let metadata: ReadonlyMap<string, string> | null | undefined;
  const entries = new Map<string, RawEntry>();
  for (const [name, value] of parseObject(bytes.subarray(LENGTH_BYTES, dataStart)).entries) {
    if (name === "__metadata__") {
      if (metadata !== undefined) throw malformed("The header has __metadata__ twice.");
      metadata = parseMetadata(value);
      continue;
    }
    if (entries.has(name)) {
      throw new GatewayError("weights_duplicate_tensor", `Tensor ${showValue(name)} is named twice in one header.`, {
        tensor: name,
      });
    }
    entries.set(name, parseEntry(name, value));
  }
  const sorted = [...entries.values()].sort((a, b) => a.begin - b.begin || a.end - b.end);
  const dataBytes = checkLayout(sorted);
  const header: SafetensorsHeader = {
    tensors: sorted.map(({ name, dtype, shape, begin, end }) => ({
      name,
      dtype,
      shape,
      offset: dataStart + begin,
      byteLength: end - begin,
    })),
    metadata: metadata ?? null,
    dataStart,
    fileSize: dataStart + dataBytes,
  };
  if (fileSize !== null) checkSize(header, fileSize);
  return header;
}
