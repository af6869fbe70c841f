/**
 * Matrices as ONNX Runtime's `MatMulNBits` takes them (docs/ContribOperators.md): unsigned codes of 4 or 8 bits, a scale
 * for each group of a row. The operator's formula is (code − 2^(bits−1)) × scale; a minimum per group, which some of
 * GGML's blocks have, goes into a matrix of corrections beside it:
 *
 *   x Wᵀ = MatMulNBits(x, codes, scales) + (sums of x over each group) · correctionsᵀ
 *
 * Both are exact: no code is rounded again.
 */
import type { CodedValues } from "../../tensor/ggml-blocks.ts";
import { pinnedBytes, pinnedFloat32 } from "../native/memory.ts";

/** What the graph must know of a matrix [rows, columns]. */
export interface MatrixForm {
  readonly bits: 4 | 8;
  readonly group: 16 | 32;
  readonly rows: number;
  readonly columns: number;
  readonly corrected: boolean;
}

export interface CodedMatrix {
  readonly form: MatrixForm;
  /** [rows, columns / group, group × bits / 8]; of two codes in a byte the first is the low nibble. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** [rows, columns / group]. */
  readonly scales: Float32Array<ArrayBuffer>;
  /** [rows, columns / group], or null when the form has none. */
  readonly corrections: Float32Array<ArrayBuffer> | null;
}

/** Names of the initializers that stand for a weight's own. */
export const codesName = (weight: string) => `${weight}.codes`;
export const scalesName = (weight: string) => `${weight}.scales`;
export const correctionsName = (weight: string) => `${weight}.corrections`;

/** What the parts of a matrix are stored as: enough to choose a form that holds all of them exactly. */
export type PartForm = Pick<CodedValues, "bits" | "group"> & { readonly minima: boolean };

/** The smallest form that holds every part without rounding. */
export function chooseForm(parts: readonly PartForm[], rows: number, columns: number): MatrixForm {
  return {
    bits: parts.every(({ bits }) => bits === 4) ? 4 : 8,
    group: parts.every(({ group }) => group === 32) ? 32 : 16,
    rows,
    columns,
    corrected: parts.some(({ minima }) => minima),
  };
}

/** A matrix of zeros to be filled row by row. */
export function createCodedMatrix(form: MatrixForm): CodedMatrix {
  const { rows, columns, bits, group, corrected } = form;
  const scales = (rows * columns) / group;
  return {
    form,
    codes: pinnedBytes((rows * columns * bits) / 8),
    scales: pinnedFloat32(scales),
    corrections: corrected ? pinnedFloat32(scales) : null,
  };
}

/** Bytes that a matrix takes. */
export function matrixBytes({ rows, columns, bits, group, corrected }: MatrixForm): number {
  return (rows * columns * bits) / 8 + ((rows * columns) / group) * 4 * (corrected ? 2 : 1);
}

/**
 * Writes whole rows.
 *
 * @param toRow the matrix row of row i of `values`
 */
export function placeRows(matrix: CodedMatrix, values: CodedValues, toRow: (row: number) => number): void {
  const { columns, bits, group } = matrix.form;
  const middle = 2 ** (bits - 1);
  // The operator multiplies codes around 0 with activations that it rounded: the smaller the codes, the smaller its error.
  // Those of groups with a minimum are moved to the middle of their range; the correction puts that back.
  const centre = values.minima === null ? values.zero : 2 ** (values.bits - 1);
  const shift = middle - centre;
  const groups = columns / group;
  /** Several groups of the matrix may share one scale of the values. */
  const ratio = values.group / group;
  for (let row = 0; row < values.codes.length / columns; row++) {
    const from = row * columns;
    const to = toRow(row) * columns;
    if (bits === 8 && shift === 0) {
      matrix.codes.set(values.codes.subarray(from, from + columns), to);
    } else if (bits === 8) {
      for (let index = 0; index < columns; index++) matrix.codes[to + index] = values.codes[from + index]! + shift;
    } else {
      for (let index = 0; index < columns; index += 2) {
        const low = values.codes[from + index]! + shift;
        matrix.codes[(to + index) >> 1] = low | ((values.codes[from + index + 1]! + shift) << 4);
      }
    }
    for (let index = 0; index < groups; index++) {
      const place = Math.floor((from / group + index) / ratio);
      const scale = values.scales[place]!;
      matrix.scales[to / group + index] = scale;
      if (matrix.corrections === null || values.minima === null) continue;
      matrix.corrections[to / group + index] = values.minima[place]! + centre * scale;
    }
  }
}

/** The matrix as numbers again, row-major. */
export function toMatrixFloats({ form, codes, scales, corrections }: CodedMatrix): Float32Array<ArrayBuffer> {
  const { rows, columns, bits, group } = form;
  const values = pinnedFloat32(rows * columns);
  const middle = 2 ** (bits - 1);
  for (let index = 0; index < values.length; index++) {
    const code = bits === 8 ? codes[index]! : (codes[index >> 1]! >> (4 * (index & 1))) & 15;
    const place = Math.floor(index / group);
    values[index] = (code - middle) * scales[place]! + (corrections === null ? 0 : corrections[place]!);
  }
  return values;
}
