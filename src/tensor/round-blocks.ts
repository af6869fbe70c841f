/**
 * Plain rounding of numbers to 4 or 8 bits in groups of 32, as GGML's Q4_0 and Q8_0 do it (`quantize_row_q4_0_ref`,
 * `quantize_row_q8_0_ref` of llama.cpp) with scales in single precision. No calibration: what is lost is to be measured.
 */
import type { CodedValues } from "./ggml-blocks.ts";

const GROUP = 32;

/** The element of a group that is farthest from 0, with its sign. */
function farthest(values: Float32Array, from: number): number {
  let far = 0;
  for (let index = from; index < from + GROUP; index++) {
    if (Math.abs(values[index]!) > Math.abs(far)) far = values[index]!;
  }
  return far;
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
  const zero = 2 ** (bits - 1);
  const most = 2 ** bits - 1;
  for (let group = 0; group < scales.length; group++) {
    const from = group * GROUP;
    const far = farthest(values, from);
    // 8 bits: ±127 steps. 4 bits: the farthest element takes the one code that has no mirror image, −8.
    const scale = bits === 8 ? Math.abs(far) / 127 : far / -8;
    scales[group] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let index = from; index < from + GROUP; index++) {
      codes[index] = Math.min(most, Math.max(0, Math.floor(values[index]! * inverse + zero + 0.5)));
    }
  }
  return { bits, zero, group: GROUP, codes, scales, minima: null };
}
