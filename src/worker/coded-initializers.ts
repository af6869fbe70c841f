/** Coded matrices as initializers of a session, and what all weights together take. Chooses and reads nothing. */
import {
  type CodedMatrix,
  codesName,
  correctionsName,
  type MatrixForm,
  matrixBytes,
  scalesName,
  toMatrixFloats,
} from "./graph/coded-matrix.ts";
import { EMBEDDING, HEAD, toWeightPlan, type WeightPlanEntry } from "./graph/weight-plan.ts";
import type { ModelConfig } from "./model-config.ts";
import { type OrtTensor, openOnnxRuntime } from "./native/onnxruntime.ts";

/** Collects the tensors of coded weights. */
export interface CodedInitializers {
  readonly forms: ReadonlyMap<string, MatrixForm>;
  add(entry: Pick<WeightPlanEntry, "name" | "dims">, matrix: CodedMatrix): void;
}

/**
 * @param tied the embedding is the head as well: it gets the head's initializers too, over the same memory
 * @param tensors gets every tensor by name
 * @param packed gets the names that a session does not need once it is made
 */
export function createCodedInitializers(
  tied: boolean,
  tensors: Map<string, OrtTensor>,
  packed: Set<string>,
): CodedInitializers {
  const forms = new Map<string, MatrixForm>();
  const runtime = openOnnxRuntime();
  const addMatrix = (name: string, { form, codes, scales, corrections }: CodedMatrix, own: boolean): void => {
    const { rows, columns, bits, group } = form;
    const groups = columns / group;
    const dims = name === EMBEDDING ? [rows, (columns * bits) / 8] : [rows, groups, (group * bits) / 8];
    tensors.set(codesName(name), runtime.createTensor(codes, dims, "uint8"));
    tensors.set(scalesName(name), runtime.createTensor(scales, [rows, groups], "float32"));
    if (corrections !== null) {
      tensors.set(correctionsName(name), runtime.createTensor(corrections, [rows, groups], "float32"));
    }
    // The operator packs the codes for itself; scales it may read again.
    if (own) packed.add(codesName(name));
    forms.set(name, form);
  };
  return {
    forms,
    add({ name, dims }, matrix) {
      if (name !== EMBEDDING) return addMatrix(name, matrix, true);
      // Rows are looked up without a correction: a table that needs one is looked up as floats.
      const plain = matrix.corrections === null;
      if (plain) addMatrix(name, matrix, false);
      else tensors.set(name, runtime.createTensor(toMatrixFloats(matrix), dims, "float32"));
      if (tied) addMatrix(HEAD, matrix, !plain);
    },
  };
}

const toElements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** Bytes of all weights; memory that a tied head shares with the embedding counts once. */
export function toWeightBytes(config: ModelConfig, forms: ReadonlyMap<string, MatrixForm>): number {
  let sum = 0;
  for (const { name, dims } of toWeightPlan(config)) {
    const form = forms.get(name);
    sum += form === undefined ? 4 * toElements(dims) : matrixBytes(form);
  }
  const head = forms.get(HEAD);
  const apart = config.tiedEmbeddings && head !== undefined && !forms.has(EMBEDDING);
  return apart ? sum + matrixBytes(head) : sum;
}

/** How the matrices are held, in words: "fp32", or "int4 ×210, int8 ×1". */
export function showForms(forms: ReadonlyMap<string, MatrixForm>): string {
  const counts = new Map<string, number>();
  for (const { bits } of forms.values()) counts.set(`int${bits}`, (counts.get(`int${bits}`) ?? 0) + 1);
  const words = [...counts].sort().map(([word, count]) => `${word} ×${count}`);
  return words.length === 0 ? "fp32" : words.join(", ");
}
