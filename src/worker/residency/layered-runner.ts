/**
 * Runs a decoder's graph piece by piece. A piece whose group is on disk is brought into memory before it runs and given
 * back after; the operating system reads the pieces that come next meanwhile.
 */
import { HIDDEN } from "../graph/decoder-graph.ts";
import { openLibc, type Region } from "../native/mapping.ts";
import { addressOf, pinnedFloat32 } from "../native/memory.ts";
import type { OnnxRuntime, OrtTensor } from "../native/onnxruntime.ts";
import type { Step, StepRunner } from "../session.ts";
import { LOOKUP_ROWS } from "./estimate.ts";
import type { Piece } from "./piece.ts";
import type { ResidentGroups } from "./resident-groups.ts";
import type { Boundary } from "./slice-graph.ts";

/** Small tensors of a step, in the order of the graph's first inputs (decoder-graph.ts). */
const SMALL_INPUTS = ["input_ids", "seqlens_k", "total_sequence_length", "logit_idx"];

/** Where a handle of a piece's call comes from. */
type Source =
  | { readonly kind: "small" | "cache"; readonly index: number }
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "logits" }
  | { readonly kind: "hidden" };

/** Memory that values share one after the other. */
interface Slot {
  width: number;
  /** Index of the last piece that reads what is in it. */
  busyUntil: number;
  readonly wanted: boolean;
}

interface Place {
  readonly slot: number;
  readonly width: number;
}

export interface LayeredRunnerOptions {
  readonly pieces: readonly Piece[];
  readonly groups: ResidentGroups;
  readonly boundaries: ReadonlyMap<string, Boundary>;
  /** The boundary that holds the looked-up rows, and the group and region of the table they come from. */
  readonly embedded: string;
  readonly table: Region;
  /** The table moves with the group; false: it serves look-ups only, and stays on disk (the tied head is in memory). */
  readonly tableMoves: boolean;
  readonly hidden: number;
  readonly vocabulary: number;
  /** Frees what the pieces share. */
  readonly onRelease: () => void;
}

const toSource = (name: string): Source => {
  const small = SMALL_INPUTS.indexOf(name);
  if (small >= 0) return { kind: "small", index: small };
  const cache = /^(?:past|present)\.(\d+)\.(key|value)$/.exec(name);
  if (cache !== null) return { kind: "cache", index: 2 * Number(cache[1]) + (cache[2] === "key" ? 0 : 1) };
  if (name === HIDDEN) return { kind: "hidden" };
  return name === "logits" ? { kind: "logits" } : { kind: "value", value: name };
};

/** Gives each value memory that nobody else needs while it lives. */
function placeValues(pieces: readonly Piece[], boundaries: ReadonlyMap<string, Boundary>, embedded: string) {
  const slots: Slot[] = [];
  const places = new Map<string, Place>();
  const place = ({ name, width, wanted, lastUse }: Boundary, producedBy: number): void => {
    let slot = slots.findIndex((other) => other.wanted === wanted && other.busyUntil < producedBy);
    if (slot < 0) slot = slots.push({ width: 0, busyUntil: 0, wanted }) - 1;
    const chosen = slots[slot]!;
    chosen.width = Math.max(chosen.width, width);
    chosen.busyUntil = lastUse;
    places.set(name, { slot, width });
  };
  place(boundaries.get(embedded)!, -1);
  for (const [index, piece] of pieces.entries()) {
    for (const name of piece.outputNames) {
      const boundary = boundaries.get(name);
      if (boundary !== undefined) place(boundary, index);
    }
  }
  return { slots, places };
}

/** See the file's head. Owns pieces and table. */
export class LayeredRunner implements StepRunner {
  readonly #runtime: OnnxRuntime;
  readonly #options: LayeredRunnerOptions;
  readonly #slots: readonly Slot[];
  readonly #places: ReadonlyMap<string, Place>;
  readonly #calls: readonly { readonly inputs: readonly Source[]; readonly outputs: readonly Source[] }[];
  /** More than one: their columns are put together here. */
  readonly #headCount: number;
  #rows = 0;
  #wantedRows = 0;
  #buffers: Float32Array<ArrayBuffer>[] = [];
  #part = new Float32Array();
  /** Hidden states that nobody asked for. */
  #unread = new Float32Array();
  readonly #tensors = new Map<string, OrtTensor>();

  constructor(runtime: OnnxRuntime, options: LayeredRunnerOptions) {
    this.#runtime = runtime;
    this.#options = options;
    const { slots, places } = placeValues(options.pieces, options.boundaries, options.embedded);
    this.#slots = slots;
    this.#places = places;
    this.#calls = options.pieces.map(({ inputNames, outputNames }) => ({
      inputs: inputNames.map(toSource),
      outputs: outputNames.map(toSource),
    }));
    this.#headCount = options.pieces.filter(({ rows }) => rows !== null).length;
  }

  run(step: Step): void {
    const { pieces, groups } = this.#options;
    this.#reserve(step);
    this.#lookUp(step);
    let paged = "";
    for (const [index, piece] of pieces.entries()) {
      // Nobody wants logits: what makes them is not even read; nor the final norm, where nobody wants that.
      if (step.wanted === 0 && (piece.rows !== null || (piece.group === "head" && step.hidden === null))) continue;
      const stays = groups.isResident(piece.group);
      if (!stays) {
        this.#readAhead(index);
        piece.region.populate();
        if (paged !== piece.group) groups.countPageIn();
        paged = piece.group;
      }
      try {
        this.#runPiece(index, piece, step);
      } finally {
        if (!stays) piece.region.drop();
      }
    }
  }

  /** Asks for the pieces that follow, as many as there are buffers beside the one in use. */
  #readAhead(index: number): void {
    const { pieces, groups } = this.#options;
    for (let distance = 1; distance < groups.buffers; distance++) {
      const next = pieces[(index + distance) % pieces.length]!;
      if (!groups.isResident(next.group)) next.region.readAhead();
    }
  }

  #lookUp({ batch, tokens, ids }: Step): void {
    const { groups, table, tableMoves, embedded, hidden } = this.#options;
    const { memcpy } = openLibc();
    const stays = tableMoves && groups.isResident("embed");
    const target = addressOf(this.#buffers[this.#places.get(embedded)!.slot]!);
    const rowBytes = hidden * 4;
    for (let row = 0; row < batch * tokens; row++) {
      memcpy(target + BigInt(row * rowBytes), table.base + BigInt(ids[2 * row]! * rowBytes), rowBytes);
      if (!stays && row % LOOKUP_ROWS === LOOKUP_ROWS - 1) table.drop();
    }
    if (!stays) table.drop();
    if (!groups.isResident("embed")) groups.countPageIn();
  }

  #runPiece(index: number, piece: Piece, step: Step): void {
    const { inputs, outputs } = this.#calls[index]!;
    const { binding, rows } = piece;
    for (const [at, source] of inputs.entries()) binding.inputs[at] = this.#handle(source, step, piece);
    for (const [at, source] of outputs.entries()) binding.outputs[at] = this.#handle(source, step, piece);
    binding.run();
    if (rows === null || this.#headCount === 1) return;
    const logits = step.logits.data as Float32Array;
    const width = rows.to - rows.from;
    for (let row = 0; row < step.wanted; row++) {
      logits.set(this.#part.subarray(row * width, (row + 1) * width), row * this.#options.vocabulary + rows.from);
    }
  }

  #handle(source: Source, step: Step, { rows }: Piece): bigint {
    if (source.kind === "small") return step.inputs[source.index]!;
    if (source.kind === "cache") return step.cache[source.index]!;
    if (source.kind === "value") return this.#value(this.#places.get(source.value)!, step);
    if (source.kind === "hidden") return this.#hiddenOf(step);
    if (rows === null || this.#headCount === 1) return step.logits.handle;
    const width = rows.to - rows.from;
    return this.#tensor(`part ${step.wanted} ${width}`, this.#part, [step.wanted, width]);
  }

  /** Every output needs a place, wanted or not: the runtime would make one of its own otherwise, and nobody free it. */
  #hiddenOf({ hidden, batch, tokens }: Step): bigint {
    if (hidden !== null) return hidden.handle;
    return this.#tensor(`hidden ${batch} ${tokens}`, this.#unread, [batch, tokens, this.#options.hidden]);
  }

  #value({ slot, width }: Place, { batch, tokens, wanted }: Step): bigint {
    const buffer = this.#buffers[slot]!;
    if (this.#slots[slot]!.wanted) return this.#tensor(`${slot} ${width} ${wanted}`, buffer, [wanted, width]);
    return this.#tensor(`${slot} ${width} ${batch} ${tokens}`, buffer, [batch, tokens, width]);
  }

  #tensor(key: string, buffer: Float32Array, dims: readonly number[]): bigint {
    const known = this.#tensors.get(key);
    if (known !== undefined) return known.handle;
    const size = dims.reduce((product, count) => product * count, 1);
    const made = this.#runtime.createTensor(buffer.subarray(0, size), dims, "float32");
    this.#tensors.set(key, made);
    return made.handle;
  }

  /** Buffers for the rows of a step. */
  #reserve({ batch, tokens, wanted }: Step): void {
    if (batch * tokens <= this.#rows && wanted <= this.#wantedRows) return;
    this.#releaseTensors();
    this.#rows = Math.max(this.#rows, batch * tokens);
    this.#wantedRows = Math.max(this.#wantedRows, wanted, 1);
    this.#buffers = this.#slots.map((slot) =>
      pinnedFloat32((slot.wanted ? this.#wantedRows : this.#rows) * slot.width),
    );
    this.#unread = pinnedFloat32(this.#rows * this.#options.hidden);
    const widths = this.#options.pieces.map(({ rows }) => (rows === null ? 0 : rows.to - rows.from));
    this.#part = this.#headCount > 1 ? pinnedFloat32(this.#wantedRows * Math.max(...widths)) : new Float32Array();
  }

  #releaseTensors(): void {
    for (const tensor of this.#tensors.values()) tensor.release();
    this.#tensors.clear();
  }

  release(): void {
    this.#releaseTensors();
    for (const piece of this.#options.pieces) piece.release();
    this.#options.table.release();
    this.#options.onRelease();
  }
}
