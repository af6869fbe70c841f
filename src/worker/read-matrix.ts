/**
 * Which weights are held as codes, and how they are read: blocks of a GGUF file as they are, where one operator takes
 * them exactly, and floats rounded where that was asked for. What is neither stays float32.
 */
import { BLOCK_FORMS, type CodedValues } from "../tensor/ggml-blocks.ts";
import { roundBlocks } from "../tensor/round-blocks.ts";
import { type CodedMatrix, chooseForm, createCodedMatrix, type MatrixForm, placeRows } from "./graph/coded-matrix.ts";
import { EMBEDDING, HEAD, type WeightPlanEntry } from "./graph/weight-plan.ts";
import type { TensorSource } from "./read-weights.ts";

/** `auto`: blocks as they are, floats as floats; `none`: all float32; else floats are rounded to so many bits. */
export type Quantize = "auto" | "none" | "int8" | "int4";

/** Elements that share a scale when floats are rounded. */
const GROUP = 32;

/** How a weight is to be held. */
export type Holding =
  | { readonly kind: "float32" }
  | { readonly kind: "blocks"; readonly form: MatrixForm }
  | { readonly kind: "rounded"; readonly bits: 4 | 8; readonly form: MatrixForm };

const FLOAT32: Holding = { kind: "float32" };

/** The embedding table and the head take what rounding loses hardest: never fewer than 8 bits. */
const bitsFor = (quantize: Quantize, name: string): 4 | 8 =>
  quantize === "int4" && name !== EMBEDDING && name !== HEAD ? 4 : 8;

/** Chooses for one entry of the plan. */
export function chooseHolding(
  entry: WeightPlanEntry,
  source: Pick<TensorSource, "blockType" | "wasBlocks">,
  quantize: Quantize,
): Holding {
  const { name, dims, parts, padding, scale } = entry;
  const [rows = 0, columns = 0] = dims;
  if (quantize === "none" || dims.length !== 2 || scale !== 1 || (!entry.packed && name !== EMBEDDING)) return FLOAT32;
  const forms = parts.flatMap((part) => {
    const type = source.blockType(part.name);
    return type === null ? [] : [BLOCK_FORMS[type]];
  });
  const bits = bitsFor(quantize, name);
  const blocks = forms.length === parts.length && padding === null;
  if (blocks && (quantize === "auto" || forms.every((form) => form.bits <= bits))) {
    return { kind: "blocks", form: chooseForm(forms, rows, columns) };
  }
  // What is laid over a file of blocks is rounded on arrival: the replica stays about as small as it was.
  const wanted = quantize !== "auto" || parts.some((part) => source.wasBlocks(part.name));
  if (!wanted || columns % GROUP !== 0) return FLOAT32;
  return { kind: "rounded", bits, form: { bits, group: GROUP, rows, columns, corrected: false } };
}

/** Reads an entry's blocks. @returns the matrix; `onBytes` hears what was read */
export async function readBlocks(
  { parts }: WeightPlanEntry,
  form: MatrixForm,
  source: TensorSource,
  onBytes: (bytes: number) => void,
): Promise<CodedMatrix> {
  const matrix = createCodedMatrix(form);
  let first = 0;
  for (const { name, shape } of parts) {
    const base = first;
    onBytes(await source.readCodes(name, (values, toRow) => placeRows(matrix, values, (row) => base + toRow(row))));
    first += shape[0]!;
  }
  return matrix;
}

/** Rows that are rounded at a time: the codes of a whole table need not be held twice. */
const PIECE_ROWS = 4096;

/** Rounds an entry's floats. */
export function roundMatrix(values: Float32Array, form: MatrixForm, bits: 4 | 8): CodedMatrix {
  const matrix = createCodedMatrix(form);
  const { rows, columns } = form;
  for (let row = 0; row < rows; row += PIECE_ROWS) {
    const end = Math.min(rows, row + PIECE_ROWS);
    const piece: CodedValues = roundBlocks(values.subarray(row * columns, end * columns), bits);
    placeRows(matrix, piece, (index) => row + index);
  }
  return matrix;
}
