/** Bytes in and out of a TCPStore connection: a queue that gives back exact lengths, and little-endian writing. */

/** Buffers larger than this are given back as soon as they are empty. */
const KEPT_CAPACITY = 64 * 1024;

/**
 * Bytes that arrived and were not consumed. One growing buffer, so that a peer that sends single bytes costs no more than
 * twice what it sent.
 */
export class ByteQueue {
  #buffer = new Uint8Array(1024);
  #start = 0;
  #end = 0;

  /** Bytes waiting. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies `chunk` to the end. */
  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) {
      const needed = this.length + chunk.length;
      const target = needed > this.#buffer.length / 2 ? new Uint8Array(needed * 2) : this.#buffer;
      target.set(this.#buffer.subarray(this.#start, this.#end));
      this.#end = this.length;
      this.#start = 0;
      this.#buffer = target;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** A copy of the first `count` bytes, removed from the queue; the caller has checked `length`. */
  take(count: number): Uint8Array<ArrayBuffer> {
    if (count > this.length) throw new RangeError(`${count} bytes asked of ${this.length}`);
    const taken = this.#buffer.slice(this.#start, this.#start + count);
    this.#start += count;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
      if (this.#buffer.length > KEPT_CAPACITY) this.#buffer = new Uint8Array(1024);
    }
    return taken;
  }
}

/** A part of a message: raw bytes, one byte, or an integer of a width. */
export type Part =
  | Uint8Array
  | { readonly u8: number }
  | { readonly u32: number }
  | { readonly u64: number }
  | { readonly i64: bigint };

function sizeOf(part: Part): number {
  if (part instanceof Uint8Array) return part.length;
  if ("u8" in part) return 1;
  return "u32" in part ? 4 : 8;
}

/** Joins parts to one message; integers little-endian, as TCPStore writes them on x86 and ARM. */
export function toMessage(...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + sizeOf(part), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) bytes.set(part, at);
    else if ("u8" in part) view.setUint8(at, part.u8);
    else if ("u32" in part) view.setUint32(at, part.u32, true);
    else if ("u64" in part) view.setBigUint64(at, BigInt(part.u64), true);
    else view.setBigInt64(at, part.i64, true);
    at += sizeOf(part);
  }
  return bytes;
}

/** An unsigned little-endian integer of four or eight bytes. */
export function toUnsigned(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.byteLength === 4 ? BigInt(view.getUint32(0, true)) : view.getBigUint64(0, true);
}

/** A signed little-endian integer of eight bytes. */
export function toSigned(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true);
}
