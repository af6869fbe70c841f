/** One piece of a decoder's graph: a session whose weights lie in a region, which may be in memory or on disk. */
import { toModelProto } from "../graph/onnx-proto.ts";
import { Region, type Spool } from "../native/mapping.ts";
import type { OnnxRuntime, OrtSession, OrtView, RunBinding } from "../native/onnxruntime.ts";
import type { Slice } from "./slice-graph.ts";

/** A weight while its piece is made: in memory of ours at an address, or as values. */
export interface PieceWeight {
  readonly name: string;
  readonly dims: readonly number[];
  /** true: the session packs a copy, and this memory may go. */
  readonly packed: boolean;
  readonly bytes: number;
  /** Writes the values to an address. */
  readonly place: (address: bigint) => void | Promise<void>;
}

/** Room for the kernels' padding of a packed matrix, by which it is larger than what it is made of. */
const SPARE_FACTOR = 1.25;
const SPARE_BYTES = 8 * 2 ** 20;

export interface Piece {
  readonly group: string;
  readonly rows: Slice["rows"];
  readonly region: Region;
  readonly binding: RunBinding;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  release(): void;
}

/**
 * Makes the session with its weights in memory, then moves them to the spool. Blocks while the session is made.
 *
 * @param shared tensors that all pieces use (rotary tables)
 */
export async function createPiece(
  runtime: OnnxRuntime,
  spool: Spool,
  slice: Slice,
  weights: readonly PieceWeight[],
  shared: ReadonlyMap<string, OrtView>,
): Promise<Piece> {
  const { graph } = slice;
  const total = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  const region = new Region(total * SPARE_FACTOR + SPARE_BYTES);
  // What is packed is read once; what is not stays where the session looks for it.
  const scratch = new Region(total + 64 * weights.length + 1);
  const views: OrtView[] = [];
  let session: OrtSession | undefined;
  try {
    const initializers = new Map<string, OrtView>();
    for (const { name, dims, packed, bytes, place } of weights) {
      const address = (packed ? scratch : region).allocate(bytes);
      if (address === null) throw new Error(`${name}: its region is too small`);
      await place(address);
      const view = runtime.createTensorAt(address, bytes, dims, "float32");
      views.push(view);
      initializers.set(name, view);
    }
    for (const { name } of graph.external) {
      const table = shared.get(name);
      if (table !== undefined) initializers.set(name, table);
    }
    const proto = toModelProto(graph, runtime.externalLocation);
    session = await runtime.createSession(proto, { threads: 1, prepack: true, initializers, region });
    region.seal(spool);
    const inputNames = graph.inputs.map(({ name }) => name);
    const outputNames = graph.outputs.map(({ name }) => name);
    const made = session;
    return {
      group: slice.group,
      rows: slice.rows,
      region,
      binding: runtime.bind(session, inputNames, outputNames),
      inputNames,
      outputNames,
      release() {
        made.release();
        for (const view of views) view.release();
        region.release();
      },
    };
  } catch (error) {
    session?.release();
    for (const view of views) view.release();
    region.release();
    throw error;
  } finally {
    scratch.release();
  }
}
