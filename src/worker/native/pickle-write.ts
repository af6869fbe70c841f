/**
 * Writes the values of rendezvous as CPython's `pickle.dumps` does (protocol 4), byte for byte as long as no object occurs
 * twice: frame, memo entries and the shortest opcodes. Reads nothing.
 */
import { invalidValue } from "../../errors.ts";
import {
  DEFAULT_PICKLE_LIMITS,
  NCCL_UNIQUE_ID_CLASS,
  NcclUniqueId,
  PickleTuple,
  type PickleValue,
  pickleError,
} from "./pickle-values.ts";

/** CPython writes the items of a container in groups of this size (`_BATCHSIZE`). */
const BATCH = 1000;
/** CPython frames nothing shorter than this (`_FRAME_SIZE_MIN`). */
const SHORTEST_FRAME = 4;
/** CPython begins a second frame after this (`_FRAME_SIZE_TARGET`); we write none then, which readers take as well. */
const LONGEST_FRAME = 64 * 1024;

const PROTO = [0x80, 4];
const MEMOIZE = 0x94;
const ascii = new TextEncoder();

const littleEndian = (value: number | bigint, width: number): number[] =>
  Array.from({ length: width }, (_, index) => Number(BigInt.asUintN(8, BigInt(value) >> BigInt(8 * index))));

class Writer {
  readonly out: number[] = [];
  #left = DEFAULT_PICKLE_LIMITS.bytes;

  bytes(...bytes: readonly number[]): void {
    this.#left -= bytes.length;
    if (this.#left < 0) throw pickleError(`more than ${DEFAULT_PICKLE_LIMITS.bytes} bytes to write.`);
    for (const byte of bytes) this.out.push(byte);
  }

  raw(bytes: Uint8Array): void {
    this.#left -= bytes.length;
    if (this.#left < 0) throw pickleError(`more than ${DEFAULT_PICKLE_LIMITS.bytes} bytes to write.`);
    for (const byte of bytes) this.out.push(byte);
  }

  value(value: PickleValue, depth = 0): void {
    if (depth > DEFAULT_PICKLE_LIMITS.depth) throw pickleError("too many containers inside each other to write.");
    if (value === null) this.bytes(0x4e);
    else if (value === true) this.bytes(0x88);
    else if (value === false) this.bytes(0x89);
    else if (typeof value === "number" || typeof value === "bigint") this.#integer(value);
    else if (typeof value === "string") this.#text(value);
    else if (value instanceof Uint8Array) this.#binary(value);
    else if (value instanceof NcclUniqueId) this.#uniqueId(value);
    else if (value instanceof PickleTuple) this.#tuple(value.items, depth);
    else if (value instanceof Map) this.#dict(value, depth);
    else if (Array.isArray(value)) this.#list(value, depth);
    else throw invalidValue("value", value, "None, bool, int, str, bytes, list, tuple, dict or ncclUniqueId");
  }

  #integer(value: number | bigint): void {
    if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw invalidValue("value", value, "a safe integer; rendezvous sends no floats");
    }
    if (value >= 0 && value < 0x100) this.bytes(0x4b, Number(value));
    else if (value >= 0 && value < 0x1_0000) this.bytes(0x4d, ...littleEndian(value, 2));
    else if (value >= -0x8000_0000 && value < 0x8000_0000) this.bytes(0x4a, ...littleEndian(value, 4));
    else {
      let width = 5;
      while (BigInt.asIntN(width * 8, BigInt(value)) !== BigInt(value)) width += 1;
      if (width > 9) throw invalidValue("value", String(value), "an integer of at most 64 bits");
      this.bytes(0x8a, width, ...littleEndian(value, width));
    }
  }

  #text(value: string): void {
    const bytes = ascii.encode(value);
    if (bytes.length < 0x100) this.bytes(0x8c, bytes.length);
    else this.bytes(0x58, ...littleEndian(bytes.length, 4));
    this.raw(bytes);
    this.bytes(MEMOIZE);
  }

  #binary(value: Uint8Array, memoize = true): void {
    if (value.length < 0x100) this.bytes(0x43, value.length);
    else this.bytes(0x42, ...littleEndian(value.length, 4));
    this.raw(value);
    if (memoize) this.bytes(MEMOIZE);
  }

  #list(items: readonly PickleValue[], depth: number): void {
    this.bytes(0x5d, MEMOIZE);
    for (let start = 0; start < items.length; start += BATCH) {
      const group = items.slice(start, start + BATCH);
      if (group.length > 1) this.bytes(0x28);
      for (const item of group) this.value(item, depth + 1);
      this.bytes(group.length > 1 ? 0x65 : 0x61);
    }
  }

  #dict(entries: ReadonlyMap<PickleValue, PickleValue>, depth: number): void {
    this.bytes(0x7d, MEMOIZE);
    const all = [...entries];
    for (let start = 0; start < all.length; start += BATCH) {
      const group = all.slice(start, start + BATCH);
      if (group.length > 1) this.bytes(0x28);
      for (const [key, item] of group) {
        this.value(key, depth + 1);
        this.value(item, depth + 1);
      }
      this.bytes(group.length > 1 ? 0x75 : 0x73);
    }
  }

  #tuple(items: readonly PickleValue[], depth: number): void {
    if (items.length === 0) {
      this.bytes(0x29);
      return;
    }
    if (items.length > 3) this.bytes(0x28);
    for (const item of items) this.value(item, depth + 1);
    this.bytes(items.length > 3 ? 0x74 : 0x84 + items.length, MEMOIZE);
  }

  #uniqueId(id: NcclUniqueId): void {
    const name = (module: string, attribute: string): void => {
      this.#text(module);
      this.#text(attribute);
      this.bytes(0x93, MEMOIZE);
    };
    name("_ctypes", "_unpickle");
    name(NCCL_UNIQUE_ID_CLASS.module, NCCL_UNIQUE_ID_CLASS.name);
    this.bytes(0x7d, MEMOIZE);
    this.#binary(id.bytes);
    this.bytes(0x86, MEMOIZE, 0x86, MEMOIZE, 0x52, MEMOIZE);
  }
}

/**
 * The pickle of a value.
 *
 * @throws GatewayError `invalid_value` for what rendezvous does not send (floats, other objects), `sync_failed` beyond 1 MiB.
 */
export function toPickle(value: PickleValue): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.value(value);
  writer.bytes(0x2e);
  const { length } = writer.out;
  const framed = length >= SHORTEST_FRAME && length <= LONGEST_FRAME;
  return new Uint8Array([...PROTO, ...(framed ? [0x95, ...littleEndian(length, 8)] : []), ...writer.out]);
}
