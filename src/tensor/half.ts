/**
 * Half precision ⇄ single precision. Input and output bytes are little-endian, as in safetensors; every runtime we
 * support runs on little-endian machines. Widening is exact; narrowing rounds to nearest, ties to even (IEEE 754).
 */
import { GatewayError } from "../errors.ts";

export type WideableDtype = "F32" | "F16" | "BF16";

export const isWideable = (dtype: string): dtype is WideableDtype =>
  dtype === "F32" || dtype === "F16" || dtype === "BF16";

/** One entry per half: 256 KiB, made on first use. A table beats arithmetic about five times. */
let f16Table: Float32Array | undefined;

function f16ToF32(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function table(): Float32Array {
  if (f16Table === undefined) {
    f16Table = new Float32Array(65_536);
    for (let half = 0; half < 65_536; half += 1) f16Table[half] = f16ToF32(half);
  }
  return f16Table;
}

/** 16-bit elements of `bytes`, without a copy where the alignment allows. */
function halves(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}

function whole(dtype: WideableDtype, bytes: Uint8Array): number {
  const size = dtype === "F32" ? 4 : 2;
  if (bytes.byteLength % size !== 0) {
    throw new GatewayError(
      "weights_malformed",
      `${bytes.byteLength} bytes are not a whole number of ${dtype} elements of ${size} bytes.`,
    );
  }
  return bytes.byteLength / size;
}

/**
 * Elements as single precision, exactly; always a new array. Infinities, NaN and signed zero survive.
 *
 * @param bytes little-endian elements; any alignment.
 * @throws GatewayError `weights_malformed` when `bytes` is not a whole number of elements.
 *
 * @example
 * ```ts
 * import { widen } from "./half.ts";
 * const [one] = widen("BF16", new Uint8Array([0x80, 0x3f]));
 * if (one !== 1) throw new Error("BF16 0x3f80 is 1");
 * ```
 */
export function widen(dtype: WideableDtype, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(whole(dtype, bytes));
  if (dtype === "F32") {
    new Uint8Array(out.buffer).set(bytes);
    return out;
  }
  const source = halves(bytes);
  if (dtype === "BF16") {
    const bits = new Uint32Array(out.buffer);
    for (let index = 0; index < source.length; index += 1) bits[index] = source[index]! << 16;
    return out;
  }
  const lookup = table();
  for (let index = 0; index < source.length; index += 1) out[index] = lookup[source[index]!]!;
  return out;
}

/** No element's exponent has all its bits set (infinity, NaN). Works on the bits, where NaN payloads cannot be lost. */
export function allFinite(values: Float32Array): boolean {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let carries = 0;
  // An exponent of all ones, and no other, carries into the sign.
  for (let index = 0; index < bits.length; index += 1) carries |= (bits[index]! & 0x7f80_0000) + 0x0080_0000;
  return carries >= 0;
}

/**
 * `widen` into memory of the caller's, looking for infinities and NaN on the way: one pass over bfloat16, two numbers at
 * a time.
 *
 * @param target as many elements as `bytes` holds
 * @returns whether all are finite; the target is written either way
 * @throws GatewayError `weights_malformed` when `bytes` is not a whole number of elements
 *
 * @example
 * ```ts
 * import { widenFinite } from "./half.ts";
 * const target = new Float32Array(1);
 * if (!widenFinite("BF16", new Uint8Array([0x80, 0x3f]), target) || target[0] !== 1) throw new Error("1 is finite");
 * if (widenFinite("BF16", new Uint8Array([0x80, 0x7f]), target)) throw new Error("0x7f80 is infinity");
 * ```
 */
export function widenFinite(dtype: WideableDtype, bytes: Uint8Array, target: Float32Array): boolean {
  const count = whole(dtype, bytes);
  if (count !== target.length) throw new RangeError(`${count} elements do not fill a target of ${target.length}.`);
  if (dtype !== "BF16") {
    target.set(widen(dtype, bytes));
    return allFinite(target);
  }
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const pairs = new Uint32Array(aligned.buffer, aligned.byteOffset, count >> 1);
  const bits = new Uint32Array(target.buffer, target.byteOffset, count);
  let carries = 0;
  for (let index = 0; index < pairs.length; index += 1) {
    const pair = pairs[index]!;
    bits[2 * index] = pair << 16;
    bits[2 * index + 1] = pair & 0xffff_0000;
    carries |= (pair & 0x7f80_7f80) + 0x0080_0080;
  }
  if (count % 2 === 1) {
    const last = halves(aligned)[count - 1]!;
    bits[count - 1] = last << 16;
    carries |= (last & 0x7f80) + 0x0080;
  }
  return (carries & 0x8000_8000) === 0;
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Bits of the nearest binary16; beyond 65504 (and the half step above it) becomes infinity. */
export function toF16Bits(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // 65520 is the tie between 65504 and 65536; even is up.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  // Below 2^-14 the result is subnormal: count steps of 2^-24; the product is exact in double precision.
  if (magnitude < 0x3880_0000) {
    const steps = Math.abs(scratch[0]!) * 2 ** 24;
    const low = Math.floor(steps);
    const rest = steps - low;
    return sign | (rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x3800_0000) >>> 13);
}

/** Bits of the nearest bfloat16. */
export function toBf16Bits(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  if ((bits & 0x7fff_ffff) > 0x7f80_0000) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/**
 * Single precision to `dtype`, little-endian; the inverse of `widen` for every value that the type can hold.
 *
 * @example
 * ```ts
 * import { narrow, widen } from "./half.ts";
 * const [third] = widen("F16", narrow("F16", new Float32Array([1 / 3])));
 * if (third !== 0.333251953125) throw new Error("nearest binary16 of 1/3");
 * ```
 */
export function narrow(dtype: WideableDtype, values: Float32Array): Uint8Array<ArrayBuffer> {
  if (dtype === "F32") return new Uint8Array(values.slice().buffer);
  const toBits = dtype === "F16" ? toF16Bits : toBf16Bits;
  const out = new Uint16Array(values.length);
  for (let index = 0; index < values.length; index += 1) out[index] = toBits(values[index]!);
  return new Uint8Array(out.buffer);
}
