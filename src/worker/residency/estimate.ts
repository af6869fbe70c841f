/** What a model's groups will take in memory, from its configuration alone, and how its graph is to be cut for a budget. */
import type { ResidencyDirective } from "../../engine/engine.ts";
import { type MatrixForm, matrixBytes } from "../graph/coded-matrix.ts";
import { EMBEDDING, HEAD, type WeightPlanEntry } from "../graph/weight-plan.ts";
import type { ModelConfig } from "../model-config.ts";
import { toPages } from "../native/mapping.ts";
import { toElements } from "../read-entry.ts";
import { type GroupSize, planTiers } from "./plan-tiers.ts";
import { type Granularity, groupOf, toGroupNames } from "./slice-graph.ts";

/** Columns that the packed form of a matrix is rounded up to (MLAS, `MlasGemmPackBSize` of ONNX Runtime 1.30). */
const PACKED_COLUMNS = 16;

/** Rows of a token table on disk that are looked up before its pages are given back: each may bring in many pages. */
export const LOOKUP_ROWS = 32;

/** Bytes in memory at a time while rows are looked up in a table on disk. */
export function toLookupBytes({ vocabSize, hiddenSize }: ModelConfig): number {
  const row = hiddenSize * 4;
  return Math.min(toPages(vocabSize * row), LOOKUP_ROWS * (toPages(row) + toPages(1)));
}

export interface Cut {
  readonly granularity: Granularity;
  /** Rows of the output matrix in one piece. */
  readonly headRows: number;
}

/** Bytes of one initializer as the session holds it. */
export function toHeldBytes({ dims, packed }: WeightPlanEntry): number {
  const rows = packed ? Math.ceil(dims[0]! / PACKED_COLUMNS) * PACKED_COLUMNS : dims[0]!;
  return rows * toElements(dims.slice(1)) * 4;
}

function toSizes(config: ModelConfig, plan: readonly WeightPlanEntry[], granularity: Granularity) {
  const { layers, vocabSize, hiddenSize } = config;
  const groups = new Map(toGroupNames(layers).map((name) => [name, { bytes: 0, piece: 0 }]));
  // A matrix's piece has vectors beside it; they are small, and all those of its layer are counted.
  const vectors = new Map<string, number>();
  for (const entry of plan) {
    const name = groupOf(entry.name)!;
    if (!entry.packed) vectors.set(name, (vectors.get(name) ?? 0) + toHeldBytes(entry));
  }
  let layerPiece = 0;
  for (const entry of plan) {
    const name = groupOf(entry.name)!;
    if (!name.startsWith("layers.")) continue;
    const group = groups.get(name)!;
    const held = toHeldBytes(entry);
    group.bytes += held;
    const matrix = entry.packed ? toPages(held + vectors.get(name)!) : 0;
    group.piece = granularity === "layer" ? toPages(group.bytes) : Math.max(group.piece, matrix);
    layerPiece = Math.max(layerPiece, group.piece);
  }
  const rowBytes = hiddenSize * 4;
  const fitting = Math.max(PACKED_COLUMNS, Math.floor(layerPiece / rowBytes / PACKED_COLUMNS) * PACKED_COLUMNS);
  const headRows = Math.min(vocabSize, fitting);
  const matrix = {
    bytes: Math.ceil(vocabSize / PACKED_COLUMNS) * PACKED_COLUMNS * rowBytes,
    piece: toPages(headRows * rowBytes),
  };
  const table = { bytes: vocabSize * rowBytes, piece: toLookupBytes(config) };
  groups.set("embed", config.tiedEmbeddings ? matrix : table);
  groups.set("head", config.tiedEmbeddings ? { bytes: rowBytes, piece: toPages(rowBytes) } : matrix);
  const sizes: GroupSize[] = [...groups].map(([name, { bytes, piece }]) => ({ name, bytes: toPages(bytes), piece }));
  return { sizes, headRows };
}

/**
 * The coarsest cut whose largest piece fits the budget.
 *
 * @throws GatewayError `limit_exceeded` with the bytes that are missing where none fits
 */
export function chooseCut(config: ModelConfig, plan: readonly WeightPlanEntry[], directive: ResidencyDirective): Cut {
  const coarse = toSizes(config, plan, "layer");
  try {
    planTiers(coarse.sizes, directive);
    return { granularity: "layer", headRows: coarse.headRows };
  } catch {
    const fine = toSizes(config, plan, "matrix");
    planTiers(fine.sizes, directive);
    return { granularity: "matrix", headRows: fine.headRows };
  }
}

/**
 * Bytes of each group as the model counts them: no padding, every weight once, float32 but for those held as codes.
 */
export function toModelBytes(
  config: ModelConfig,
  plan: readonly WeightPlanEntry[],
  forms: ReadonlyMap<string, MatrixForm> = new Map(),
): ReadonlyMap<string, number> {
  const bytes = new Map(toGroupNames(config.layers).map((name) => [name, 0]));
  const add = (name: string, size: number) => void bytes.set(name, bytes.get(name)! + size);
  for (const entry of plan) {
    const form = forms.get(entry.name);
    const floats = entry.parts.reduce((sum, part) => sum + 4 * toElements(part.shape), 0);
    add(groupOf(entry.name)!, form === undefined ? floats : matrixBytes(form));
  }
  // A tied head of another form than the table is held beside it.
  const head = forms.get(HEAD);
  if (config.tiedEmbeddings && head !== undefined && !forms.has(EMBEDDING)) add("head", matrixBytes(head));
  return bytes;
}
