/**
 * Memory that native code may hold an address of. Small typed arrays may live inside the JavaScript heap and be moved
 * by its collector; an ArrayBuffer allocated by itself never is. The caller keeps a reference for as long as native
 * code may look.
 */
import koffi from "koffi";

/** `length` bytes of zero at a fixed address. */
export function pinnedBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** `length` floats of zero at a fixed address. */
export function pinnedFloat32(length: number): Float32Array<ArrayBuffer> {
  return new Float32Array(new ArrayBuffer(length * 4));
}

/** A copy at a fixed address. */
export function toPinned(values: Float32Array): Float32Array<ArrayBuffer> {
  const pinned = pinnedFloat32(values.length);
  pinned.set(values);
  return pinned;
}

/** `length` 32-bit integers of zero at a fixed address. */
export function pinnedInt32(length: number): Int32Array<ArrayBuffer> {
  return new Int32Array(new ArrayBuffer(length * 4));
}

/** `length` 64-bit integers of zero at a fixed address. */
export function pinnedBigInt64(length: number): BigInt64Array<ArrayBuffer> {
  return new BigInt64Array(new ArrayBuffer(length * 8));
}

/** `length` pointers, all null, at a fixed address. */
export function pinnedPointers(length: number): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(new ArrayBuffer(length * 8));
}

/** A NUL-terminated UTF-8 string at a fixed address. */
export function pinnedString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const pinned = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  pinned.set(bytes);
  return pinned;
}

/** The address of the first element; only for arrays made by this file. */
export function addressOf(view: ArrayBufferView): bigint {
  return BigInt(koffi.address(view));
}

/**
 * Gives an array's memory back now, in place of when the collector finds it. The array is empty afterwards; nothing may
 * hold its address any more. Does nothing for part of a buffer, and on a runtime without `ArrayBuffer.prototype.transfer`.
 */
export function freeMemory({ buffer, byteLength }: ArrayBufferView): void {
  const { transfer } = buffer as { transfer?: (length: number) => ArrayBuffer };
  if (typeof transfer === "function" && byteLength > 0 && byteLength === buffer.byteLength) transfer.call(buffer, 0);
}
