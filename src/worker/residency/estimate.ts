/** What a model's groups will take in memory, from its configuration alone, and how its graph is to be cut for a budget. */
import type { ResidencyDirective } from "../../engine/engine.ts";
import { type MatrixForm, matrixBytes } from "../graph/coded-matrix.ts";
import { EMBEDDING, HEAD, type WeightPlanEntry } from "../graph/weight-plan.ts";
import { availableKvBytes } from "../kv-budget.ts";
import { slotBytes } from "../kv-cache.ts";
import type { ModelConfig } from "../model-config.ts";
import { toPages } from "../native/mapping.ts";
import { toElements } from "../read-entry.ts";
import { type Beside, type GroupSize, planTiers, toLeastBytes, toRooms } from "./plan-tiers.ts";
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

/** Tokens of a prompt that are computed at a time (batch.ts). */
const PREFILL_PIECE = 256;
/** Bun's worker with its libraries, idle code given back; the other runtimes': measured 60 and 105 MiB. */
const BUN_BYTES = 64 * 2 ** 20;
const PROCESS_BYTES = 112 * 2 ** 20;
/** Prefixes kept for reuse beside weights in tiers: a small part of the budget, 16 MiB at most. */
const toPrefixBytes = ({ maxInCpuBytes }: ResidencyDirective): number =>
  Math.min(16 * 2 ** 20, Math.floor((maxInCpuBytes ?? Number.POSITIVE_INFINITY) / 16));

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
 * What a worker with weights in tiers takes beside them: the program; what a piece of a prompt computes, one sequence of
 * full length in the KV cache, prefixes. Said from constants, so that the same budget gives the same tiers always.
 */
export function toBeside(config: ModelConfig, positions: number, directive: ResidencyDirective): Beside {
  const { heads, intermediateSize, hiddenSize } = config;
  const activations = 4 * PREFILL_PIECE * (heads * positions + 3 * intermediateSize + 6 * hiddenSize);
  return {
    process: "Bun" in globalThis ? BUN_BYTES : PROCESS_BYTES,
    model: activations + slotBytes(config, positions) + toPrefixBytes(directive),
  };
}

/**
 * What the KV cache may take beside weights in tiers: where the budget is meant for the whole worker, what `toBeside` counts
 * of it, and sequences that do not fit are recomputed; else all sequences at full length, as without tiers.
 *
 * @param slots sequences at a time; undefined: not known, and not decided here
 */
export function toTieredCacheBytes(
  config: ModelConfig,
  positions: number,
  directive: ResidencyDirective,
  slots: number | undefined,
): number | undefined {
  if (slots === undefined) return undefined;
  const { process, model } = toBeside(config, positions, directive);
  const whole = (directive.maxInCpuBytes ?? Number.POSITIVE_INFINITY) >= process + model;
  const sequences = whole && directive.maxInCpuBytes !== undefined ? 1 : slots;
  return Math.min(availableKvBytes(), sequences * slotBytes(config, positions) + toPrefixBytes(directive));
}

/**
 * The coarsest cut that stays in the smallest of `toRooms` that any cut stays in.
 *
 * @throws GatewayError `limit_exceeded` with the bytes that are missing where none fits
 */
export function chooseCut(
  config: ModelConfig,
  plan: readonly WeightPlanEntry[],
  directive: ResidencyDirective,
  beside?: Beside,
): Cut {
  const cuts = (["layer", "matrix"] as const).map((granularity) => {
    const { sizes, headRows } = toSizes(config, plan, granularity);
    return { granularity, headRows, sizes, needs: toLeastBytes(sizes, directive) };
  });
  const budget = directive.maxInCpuBytes ?? Number.POSITIVE_INFINITY;
  for (const room of toRooms(directive, beside)) {
    const cut = cuts.find(({ needs }) => needs <= Math.min(room, budget));
    if (cut !== undefined) return { granularity: cut.granularity, headRows: cut.headRows };
  }
  const { sizes, granularity, headRows } = cuts[1]!;
  planTiers(sizes, directive);
  return { granularity, headRows };
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
