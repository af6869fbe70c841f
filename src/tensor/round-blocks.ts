/**
 * Plain rounding of numbers to 4 or 8 bits in groups of 32, as GGML's Q4_0 and Q8_0 do it (`quantize_row_q4_0_ref`,
 * `quantize_row_q8_0_ref` of llama.cpp) with scales in single precision. No calibration: what is lost is to be measured.
 */
import type { CodedValues } from "./ggml-blocks.ts";

const GROUP = 32;

/** One magnitude as bits and as a number. */
const magnitudeBits = new Int32Array(1);
const magnitude = new Float32Array(magnitudeBits.buffer);

/**
 * The largest magnitude of a group, as the bits of its single: those of positive numbers are in the numbers' order, and
 * the maximum of integers takes no branch (3 times as fast as comparing with `Math.abs`).
 */
function largestBits(bits: Int32Array, from: number): number {
  let largest = 0;
  for (let index = from; index < from + GROUP; index++) {
    const next = bits[index]! & 0x7fff_ffff;
    largest = next > largest ? next : largest;
  }
  return largest;
}

/** 8 bits: ±127 steps around 128. No code can leave 1 … 255, so that none is clamped. */
function roundToBytes(values: Float32Array, codes: Uint8Array, scales: Float32Array): void {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let group = 0; group < scales.length; group++) {
    const from = group * GROUP;
    magnitudeBits[0] = largestBits(bits, from);
    const scale = magnitude[0]! / 127;
    scales[group] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    // Above 0, and so cutting is rounding down.
    for (let index = from; index < from + GROUP; index++) codes[index] = values[index]! * inverse + 128 + 0.5;
  }
}

/** 4 bits: the farthest element, the first of several, takes the one code that has no mirror image, −8. */
function roundToNibbles(values: Float32Array, codes: Uint8Array, scales: Float32Array): void {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let group = 0; group < scales.length; group++) {
    const from = group * GROUP;
    const largest = largestBits(bits, from);
    let far = from;
    while ((bits[far]! & 0x7fff_ffff) !== largest) far++;
    const scale = (largest === 0 ? 0 : values[far]!) / -8;
    scales[group] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let index = from; index < from + GROUP; index++) {
      const code = (values[index]! * inverse + 8 + 0.5) | 0;
      codes[index] = code > 15 ? 15 : code;
    }
  }
}

/**
 * @param values a whole number of groups of 32; finite
 * @example
 * ```ts
 * import { toFloats } from "./ggml-blocks.ts";
 * import { roundBlocks } from "./round-blocks.ts";
 * const values = Float32Array.from({ length: 32 }, (_, index) => index / 31);
 * const rounded = toFloats(roundBlocks(values, 8));
 * if (Math.abs(rounded[7]! - values[7]!) > 0.5 / 127) throw new Error("off by more than half a step");
 * ```
 */
export function roundBlocks(values: Float32Array, bits: 4 | 8): CodedValues {
  const codes = new Uint8Array(values.length);
  const scales = new Float32Array(values.length / GROUP);
  if (bits === 8) roundToBytes(values, codes, scales);
  else roundToNibbles(values, codes, scales);
  return { bits, zero: 2 ** (bits - 1), group: GROUP, codes, scales, minima: null };
}
