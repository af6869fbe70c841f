/** Looks for NaN and infinities in a tensor that arrives in pieces of any length. Pure. */
import type { Dtype } from "../tensor/dtype.ts";

export interface FiniteScan {
  /** Takes the next bytes; answers with the first bad element's index so far, or undefined. */
  push(bytes: Uint8Array): number | undefined;
}

type ScannedDtype = "F16" | "BF16" | "F32" | "F64";

/** Bytes per element, and the exponent bits that are all set exactly in NaN and ±infinity (of the top 16 or 32 bits). */
const RULES: Record<ScannedDtype, { readonly size: 2 | 4 | 8; readonly mask: number }> = {
  F16: { size: 2, mask: 0x7c00 },
  BF16: { size: 2, mask: 0x7f80 },
  F32: { size: 4, mask: 0x7f80_0000 },
  F64: { size: 8, mask: 0x7ff0_0000 },
};

const isScanned = (dtype: Dtype): dtype is ScannedDtype => Object.hasOwn(RULES, dtype);

/**
 * Whether an exponent may be all ones. Adding 1 at its lowest bit then carries into the place of the sign, and no other
 * exponent does: one addition and no branch for two halves at a time, ten times as fast as looking at each.
 */
function mayBeBad(words: Uint32Array, size: 2 | 4 | 8, mask: number): boolean {
  const lowest = mask & -mask;
  const [exponents, ones] = size === 2 ? [mask | (mask << 16), lowest | (lowest << 16)] : [mask, lowest];
  const signs = size === 2 ? 0x8000_8000 : 0x8000_0000;
  // Little-endian: the exponent of an F64 is in the second of its two words.
  const step = size === 8 ? 2 : 1;
  let carries = 0;
  for (let index = step - 1; index < words.length; index += step) carries |= (words[index]! & exponents) + ones;
  return (carries & signs) !== 0;
}

/** Index of the first bad element of `bytes`, which are whole elements; -1 when all are finite. */
function firstBad(bytes: Uint8Array, size: 2 | 4 | 8, mask: number): number {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  if (!mayBeBad(new Uint32Array(buffer, byteOffset, byteLength >> 2), size, mask)) {
    // A single half may be left over.
    if (byteLength % 4 === 0) return -1;
    const last = new DataView(buffer, byteOffset).getUint16(byteLength - 2, true);
    return (last & mask) === mask ? byteLength / 2 - 1 : -1;
  }
  if (size === 2) {
    const words = new Uint16Array(buffer, byteOffset, byteLength / 2);
    return words.findIndex((word) => (word & mask) === mask);
  }
  const words = new Uint32Array(buffer, byteOffset, byteLength / 4);
  const step = size / 4;
  for (let index = step - 1; index < words.length; index += step) {
    if ((words[index]! & mask) === mask) return (index - (step - 1)) / step;
  }
  return -1;
}

/**
 * Starts the scan of one tensor; undefined for a dtype that is not scanned (integers, 8-bit and smaller floats).
 *
 * @example
 * ```ts
 * import { createFiniteScan } from "./finite.ts";
 * const scan = createFiniteScan("BF16");
 * scan?.push(new Uint8Array([0x80, 0x3f, 0xc0]));
 * if (scan?.push(new Uint8Array([0x7f])) !== 1) throw new Error("element 1 is NaN");
 * ```
 */
export function createFiniteScan(dtype: Dtype): FiniteScan | undefined {
  if (!isScanned(dtype)) return undefined;
  const { size, mask } = RULES[dtype];
  /** The start of an element that the last piece cut. */
  const carry = new Uint8Array(size);
  let carried = 0;
  let elements = 0;
  let bad: number | undefined;

  const look = (bytes: Uint8Array): void => {
    const index = firstBad(bytes, size, mask);
    if (index >= 0) bad ??= elements + index;
    elements += bytes.byteLength / size;
  };
  return {
    push(bytes) {
      let rest = bytes;
      if (carried > 0) {
        const taken = Math.min(size - carried, rest.byteLength);
        carry.set(rest.subarray(0, taken), carried);
        carried += taken;
        rest = rest.subarray(taken);
        if (carried < size) return bad;
        carried = 0;
        look(carry);
      }
      const whole = rest.byteLength - (rest.byteLength % size);
      if (whole > 0) look(rest.subarray(0, whole));
      carry.set(rest.subarray(whole));
      carried = rest.byteLength - whole;
      return bad;
    },
  };
}
