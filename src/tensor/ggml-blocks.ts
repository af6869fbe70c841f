/**
 * GGML's blocks ⇄ numbers. Every type is one formula, `(code − zero) × scale + minimum`, over groups of 16 or 32
 * elements (ggml-quants.c of llama.cpp, `dequantize_row_*`); unpacking gives codes, scales and minima, and the product of
 * a half with a small integer is exact in single precision. Bytes are little-endian.
 */
import { GatewayError } from "../errors.ts";
import { GGML_TYPES, type GgmlBlockType, type GgmlType, isBlockType } from "./ggml-types.ts";
import { type WideableDtype, widen } from "./half.ts";

/** Elements as codes with scales: element i is (codes[i] − zero) × scales[g] + minima[g] with g = ⌊i / group⌋. */
export interface CodedValues {
  /** Bits that a code needs. */
  readonly bits: 4 | 5 | 6 | 8;
  readonly zero: number;
  /** Elements that share a scale. */
  readonly group: 16 | 32;
  /** One per element, unsigned. */
  readonly codes: Uint8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
  /** null: all zero. */
  readonly minima: Float32Array<ArrayBuffer> | null;
}

type Form = Pick<CodedValues, "bits" | "zero" | "group"> & { readonly minima: boolean };

/** What each type is in the one formula. */
export const BLOCK_FORMS: Readonly<Record<GgmlBlockType, Form>> = {
  Q4_0: { bits: 4, zero: 8, group: 32, minima: false },
  Q4_1: { bits: 4, zero: 0, group: 32, minima: true },
  Q5_0: { bits: 5, zero: 16, group: 32, minima: false },
  Q5_1: { bits: 5, zero: 0, group: 32, minima: true },
  Q8_0: { bits: 8, zero: 128, group: 32, minima: false },
  Q4_K: { bits: 4, zero: 0, group: 32, minima: true },
  Q5_K: { bits: 5, zero: 0, group: 32, minima: true },
  Q6_K: { bits: 6, zero: 32, group: 16, minima: false },
};

/** Where one block is read from and where its parts go. */
interface Place {
  readonly bytes: Uint8Array;
  /** Of the block's first byte. */
  readonly from: number;
  readonly codes: Uint8Array;
  /** Of the block's first code. */
  readonly at: number;
  readonly scales: Float32Array;
  readonly minima: Float32Array;
  /** Of the block's first scale. */
  readonly group: number;
  /** The half at a byte offset, widened. */
  readonly half: (offset: number) => number;
}

/** Low nibbles are the first half of a run of bytes, high nibbles the second. */
function splitNibbles({ bytes, codes }: Place, from: number, count: number, at: number): void {
  for (let index = 0; index < count; index++) {
    const byte = bytes[from + index]!;
    codes[at + index] = byte & 15;
    codes[at + count + index] = byte >> 4;
  }
}

/** Q4_0, Q4_1, Q5_0, Q5_1: scale, minimum where there is one, fifth bits where there are, nibbles. */
function unpackSmall(place: Place, minimum: boolean, fifth: boolean): void {
  const { bytes, from, codes, at, scales, minima, group, half } = place;
  scales[group] = half(from);
  let next = from + 2;
  if (minimum) {
    minima[group] = half(next);
    next += 2;
  }
  const high = next;
  if (fifth) next += 4;
  splitNibbles(place, next, 16, at);
  if (!fifth) return;
  for (let index = 0; index < 32; index++)
    codes[at + index]! |= ((bytes[high + (index >> 3)]! >> (index & 7)) & 1) << 4;
}

function unpackQ8(place: Place): void {
  const { bytes, from, codes, at, scales, group, half } = place;
  scales[group] = half(from);
  // int8 to unsigned: the sign bit turned over is 128 added.
  for (let index = 0; index < 32; index++) codes[at + index] = bytes[from + 2 + index]! ^ 128;
}

/** Eight 6-bit scales and minima of a super-block in twelve bytes (`get_scale_min_k4`). */
function unpackScales({ bytes, from, scales, minima, group, half }: Place): void {
  const scale = half(from);
  const minimum = half(from + 2);
  const packed = from + 4;
  for (let index = 0; index < 8; index++) {
    const low = bytes[packed + (index & 3)]!;
    const middle = bytes[packed + 4 + (index & 3)]!;
    const high = bytes[packed + 8 + (index & 3)]!;
    const s = index < 4 ? low & 63 : (high & 15) | ((low >> 2) & 48);
    const m = index < 4 ? middle & 63 : (high >> 4) | ((middle >> 2) & 48);
    scales[group + index] = scale * s;
    minima[group + index] = -minimum * m;
  }
}

/** Q4_K and Q5_K: scales, fifth bits where there are, then nibbles in runs of 32 bytes for 64 elements. */
function unpackK(place: Place, fifth: boolean): void {
  const { bytes, from, codes, at } = place;
  unpackScales(place);
  const high = from + 16;
  const nibbles = fifth ? high + 32 : high;
  for (let run = 0; run < 4; run++) splitNibbles(place, nibbles + 32 * run, 32, at + 64 * run);
  if (!fifth) return;
  for (let index = 0; index < 256; index++) {
    codes[at + index]! |= ((bytes[high + (index & 31)]! >> (index >> 5)) & 1) << 4;
  }
}

/** Q6_K: low nibbles, high pairs of bits, sixteen int8 scales, then the half that multiplies them. */
function unpackQ6K({ bytes, from, codes, at, scales, group, half }: Place): void {
  const pairs = from + 128;
  const small = from + 192;
  const scale = half(from + 208);
  for (let part = 0; part < 2; part++) {
    for (let index = 0; index < 128; index++) {
      const low = bytes[from + 64 * part + (index & 63)]!;
      const high = bytes[pairs + 32 * part + (index & 31)]!;
      const nibble = index < 64 ? low & 15 : low >> 4;
      codes[at + 128 * part + index] = nibble | (((high >> (2 * (index >> 5))) & 3) << 4);
    }
  }
  for (let index = 0; index < 16; index++) scales[group + index] = scale * ((bytes[small + index]! << 24) >> 24);
}

const UNPACK: Readonly<Record<GgmlBlockType, (place: Place) => void>> = {
  Q4_0: (place) => unpackSmall(place, false, false),
  Q4_1: (place) => unpackSmall(place, true, false),
  Q5_0: (place) => unpackSmall(place, false, true),
  Q5_1: (place) => unpackSmall(place, true, true),
  Q8_0: unpackQ8,
  Q4_K: (place) => unpackK(place, false),
  Q5_K: (place) => unpackK(place, true),
  Q6_K: unpackQ6K,
};

/**
 * Codes, scales and minima of whole blocks, element by element in the file's order.
 *
 * @throws GatewayError `weights_malformed` when `bytes` is not a whole number of blocks
 */
export function unpackBlocks(type: GgmlBlockType, bytes: Uint8Array): CodedValues {
  const { elements, bytes: size } = GGML_TYPES[type];
  const { minima: hasMinima, ...form } = BLOCK_FORMS[type];
  if (bytes.length % size !== 0) {
    throw new GatewayError(
      "weights_malformed",
      `${bytes.length} bytes are not a whole number of ${type} blocks of ${size} bytes.`,
    );
  }
  const blocks = bytes.length / size;
  const groups = elements / form.group;
  const codes = new Uint8Array(blocks * elements);
  const scales = new Float32Array(blocks * groups);
  const minima = new Float32Array(hasMinima ? blocks * groups : 0);
  const half = (offset: number): number => HALVES[bytes[offset]! | (bytes[offset + 1]! << 8)]!;
  for (let block = 0; block < blocks; block++) {
    const at = block * elements;
    UNPACK[type]({ bytes, from: block * size, codes, at, scales, minima, group: block * groups, half });
  }
  return { ...form, codes, scales, minima: hasMinima ? minima : null };
}

/** Every half, widened; 256 KiB. */
const HALVES = widen("F16", new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, half) => half).buffer));

/**
 * Elements as single precision, as `gguf.quants.dequantize` of the Python package gives them.
 *
 * @example
 * ```ts
 * import { dequantize } from "./ggml-blocks.ts";
 * // One block of Q8_0: scale 1 (half 0x3c00), then 32 signed bytes.
 * const values = dequantize("Q8_0", Uint8Array.of(0x00, 0x3c, ...Array.from({ length: 32 }, () => 0xff)));
 * if (values[0] !== -1) throw new Error("0xff is -1");
 * ```
 */
export function dequantize(type: GgmlType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  if (!isBlockType(type)) return widen(type as WideableDtype, bytes);
  return toFloats(unpackBlocks(type, bytes));
}

/** The formula, element by element. */
export function toFloats({ codes, scales, minima, zero, group }: CodedValues): Float32Array<ArrayBuffer> {
  const values = new Float32Array(codes.length);
  for (let index = 0, place = 0; index < codes.length; place++) {
    const scale = scales[place]!;
    const minimum = minima === null ? 0 : minima[place]!;
    for (const end = index + group; index < end; index++) values[index] = (codes[index]! - zero) * scale + minimum;
  }
  return values;
}
