/**
 * The element types of GGML that we read: how many elements a block holds and how many bytes it takes (ggml.h and
 * `GGML_QUANT_SIZES` of the Python package gguf 0.19). Facts only; unpacking is `ggml-blocks.ts`.
 */

interface Facts {
  /** The number that stands for the type in a GGUF file. */
  readonly id: number;
  /** Elements of one block; a row is a whole number of blocks. */
  readonly elements: number;
  /** Bytes of one block. */
  readonly bytes: number;
}

/** By the name that GGML gives it. */
export const GGML_TYPES = {
  F32: { id: 0, elements: 1, bytes: 4 },
  F16: { id: 1, elements: 1, bytes: 2 },
  BF16: { id: 30, elements: 1, bytes: 2 },
  Q4_0: { id: 2, elements: 32, bytes: 18 },
  Q4_1: { id: 3, elements: 32, bytes: 20 },
  Q5_0: { id: 6, elements: 32, bytes: 22 },
  Q5_1: { id: 7, elements: 32, bytes: 24 },
  Q8_0: { id: 8, elements: 32, bytes: 34 },
  Q4_K: { id: 12, elements: 256, bytes: 144 },
  Q5_K: { id: 13, elements: 256, bytes: 176 },
  Q6_K: { id: 14, elements: 256, bytes: 210 },
} as const satisfies Readonly<Record<string, Facts>>;

export type GgmlType = keyof typeof GGML_TYPES;

/** The types whose elements share scales: all but the plain floats. */
export type GgmlBlockType = Exclude<GgmlType, "F32" | "F16" | "BF16">;

/** Whether this is one of the types above. */
export const isGgmlType = (name: string): name is GgmlType => Object.hasOwn(GGML_TYPES, name);

/** Whether elements of this type share scales. */
export const isBlockType = (name: string): name is GgmlBlockType => isGgmlType(name) && GGML_TYPES[name].elements > 1;

const BY_ID = new Map(Object.entries(GGML_TYPES).map(([name, { id }]) => [id as number, name as GgmlType]));

/** The type of a number in a file; undefined for one that is not read. */
export const toGgmlType = (id: number): GgmlType | undefined => BY_ID.get(id);

/**
 * Bytes of `rows` rows of `columns` elements; undefined when a row is not a whole number of blocks.
 *
 * @example
 * ```ts
 * import { ggmlBytes } from "./ggml-types.ts";
 * if (ggmlBytes("Q4_1", 2, 64) !== 80 || ggmlBytes("Q4_1", 2, 65) !== undefined) throw new Error("sizes changed");
 * ```
 */
export function ggmlBytes(type: GgmlType, rows: number, columns: number): number | undefined {
  const { elements, bytes } = GGML_TYPES[type];
  return columns % elements === 0 ? rows * (columns / elements) * bytes : undefined;
}
