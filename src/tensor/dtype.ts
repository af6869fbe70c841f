/** Element types of the safetensors format and their sizes. Pure facts; reading and widening are elsewhere. */

/**
 * Bits per element, in the reference library's own order (safetensors 0.8.0, `Dtype` in `tensor.rs`): its writer sorts
 * tensors by this order, last first. F4 and F6 elements are packed; a tensor of them must fill whole bytes.
 */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type Dtype = keyof typeof DTYPE_BITS;

/** Every dtype, in the reference library's order. */
export const DTYPES = Object.keys(DTYPE_BITS) as Dtype[];

export const isDtype = (text: string): text is Dtype => Object.hasOwn(DTYPE_BITS, text);

/** Sizes beyond this overflow `usize` in the reference library, which refuses them. */
const U64_LIMIT = 2n ** 64n;

/**
 * Bytes that a tensor of this dtype and shape takes; a shape of no dimensions is one element.
 * undefined when it is not a whole number of bytes, or does not fit (2^64 at any step as in the reference, 2^53 for us).
 *
 * @example
 * ```ts
 * import { tensorBytes } from "./dtype.ts";
 * if (tensorBytes("BF16", [2, 3]) !== 12 || tensorBytes("F4", [3]) !== undefined) throw new Error("wrong size");
 * ```
 */
export function tensorBytes(dtype: Dtype, shape: readonly number[]): number | undefined {
  let elements = 1n;
  for (const size of shape) {
    elements *= BigInt(size);
    if (elements >= U64_LIMIT) return undefined;
  }
  const bits = elements * BigInt(DTYPE_BITS[dtype]);
  if (bits >= U64_LIMIT || bits % 8n !== 0n) return undefined;
  const bytes = bits / 8n;
  return bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : undefined;
}
