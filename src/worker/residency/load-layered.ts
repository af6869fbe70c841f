/**
 * Loads a model whose weights can move between memory and disk: one layer is packed at a time, written to a file without
 * a name, and mapped. At no time are the weights whole in memory unless the directive keeps them there.
 */
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { ResidencyDirective } from "../../engine/engine.ts";
import { buildDecoderGraph } from "../graph/decoder-graph.ts";
import { toWeightPlan, type WeightPlanEntry } from "../graph/weight-plan.ts";
import type { ModelConfig } from "../model-config.ts";
import { giveMemoryBack } from "../native/give-back.ts";
import { copyTo, openLibc, Region, Spool } from "../native/mapping.ts";
import { freeMemory, pinnedFloat32 } from "../native/memory.ts";
import { type OnnxRuntime, type OrtTensor, openOnnxRuntime } from "../native/onnxruntime.ts";
import { readEntry, toElements } from "../read-entry.ts";
import type { TensorSource, ValueSink } from "../read-weights.ts";
import { Decoder } from "../session.ts";
import { chooseCut, toBeside, toLookupBytes, toModelBytes } from "./estimate.ts";
import { LayeredRunner } from "./layered-runner.ts";
import { createPiece, type Piece, type PieceWeight } from "./piece.ts";
import { checkDirective } from "./plan-tiers.ts";
import { type LoadedGroup, ResidentGroups } from "./resident-groups.ts";
import { type SlicedGraph, sliceGraph, toGroupNames } from "./slice-graph.ts";

export interface LayeredOptions {
  readonly config: ModelConfig;
  readonly positions: number;
  readonly source: TensorSource;
  readonly directive: ResidencyDirective;
  /** Where the file is made; default: the system's directory for temporary files. */
  readonly spoolDirectory: string | undefined;
  /** Rotary tables, by the names that the graph has for them; released with the model. */
  readonly tables: ReadonlyMap<string, OrtTensor>;
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void;
}

export interface Layered {
  readonly decoder: Decoder;
  /** Asleep: nothing is in memory before `wake`. */
  readonly residency: ResidentGroups;
}

/** Values into the spool, without passing through more memory than they come in. */
const toSpool = (spool: Spool, at: number): ValueSink => ({
  set: (values, offset) => spool.writeValues(at + 4 * offset, values),
});

/** Values to an address. */
const toAddress = (address: bigint): ValueSink => ({
  set: (values, offset) => copyTo(address + BigInt(4 * offset), values),
});

/** The weights of one model on their way into pieces. */
class LayeredLoad {
  readonly #options: LayeredOptions;
  readonly #runtime: OnnxRuntime;
  readonly #entries: ReadonlyMap<string, WeightPlanEntry>;
  readonly #spool: Spool;
  readonly #pieces: Piece[] = [];
  readonly #regions: Region[] = [];
  #bytesDone = 0;

  constructor(options: LayeredOptions, plan: readonly WeightPlanEntry[], spool: Spool) {
    this.#options = options;
    this.#runtime = openOnnxRuntime();
    this.#entries = new Map(plan.map((entry) => [entry.name, entry]));
    this.#spool = spool;
  }

  #count = (bytes: number): void => {
    this.#bytesDone += bytes;
    this.#options.onProgress(this.#bytesDone, this.#options.source.totalBytes);
  };

  /** Writes a matrix to a file as it is, and maps it. */
  async #readTable(entry: WeightPlanEntry, spool: Spool): Promise<Region> {
    const bytes = 4 * toElements(entry.dims);
    const region = new Region(bytes);
    this.#regions.push(region);
    const at = spool.allocate(bytes);
    for (const { name } of entry.parts) this.#count(await this.#options.source.read(name, toSpool(spool, at)));
    region.view(spool, at, bytes);
    return region;
  }

  #toWeight(entry: WeightPlanEntry): PieceWeight {
    const { source } = this.#options;
    const bytes = 4 * toElements(entry.dims);
    const place = async (address: bigint): Promise<void> => {
      if (entry.padding !== null || entry.scale !== 1) {
        const values = pinnedFloat32(toElements(entry.dims));
        await readEntry(entry, source, values, this.#count);
        copyTo(address, values);
        freeMemory(values);
        return;
      }
      let offset = 0;
      for (const { name, shape } of entry.parts) {
        this.#count(await source.read(name, toAddress(address + BigInt(offset))));
        offset += 4 * toElements(shape);
      }
    };
    return { name: entry.name, dims: entry.dims, packed: entry.packed, bytes, place };
  }

  async run(sliced: SlicedGraph, plan: readonly WeightPlanEntry[]): Promise<Layered> {
    const { config, tables } = this.#options;
    const [first, last] = [plan[0]!, plan.at(-1)!];
    const rowBytes = 4 * config.hiddenSize;
    const table = await this.#readTable(first, this.#spool);
    // The packed form of an untied head is made of a copy that is gone when the model is loaded.
    let scratch: Spool | undefined;
    try {
      let matrix = table;
      for (const slice of sliced.slices) {
        const { rows } = slice;
        if (rows !== null && rows.from === 0 && !config.tiedEmbeddings) {
          scratch = new Spool(this.#options.spoolDirectory ?? tmpdir());
          matrix = await this.#readTable(last, scratch);
        }
        const weights = slice.graph.external.flatMap(({ name, dims }): PieceWeight[] => {
          const entry = this.#entries.get(name);
          if (entry !== undefined) return [this.#toWeight(entry)];
          if (rows === null) return [];
          const bytes = (rows.to - rows.from) * rowBytes;
          const place = (address: bigint): void => {
            openLibc().memcpy(address, matrix.base + BigInt(rows.from * rowBytes), bytes);
            matrix.drop();
          };
          return [{ name, dims, packed: true, bytes, place }];
        });
        this.#pieces.push(await createPiece(this.#runtime, this.#spool, slice, weights, tables));
      }
      if (matrix !== table) matrix.release();
    } finally {
      scratch?.close();
    }
    return this.#assemble(sliced, plan, table);
  }

  #assemble(sliced: SlicedGraph, plan: readonly WeightPlanEntry[], table: Region): Layered {
    const { config, positions, directive, tables } = this.#options;
    const bytes = toModelBytes(config, plan);
    const groups = new ResidentGroups(
      toGroupNames(config.layers).map((name): LoadedGroup => {
        const regions = this.#pieces.filter((piece) => piece.group === name).map(({ region }) => region);
        if (name !== "embed" || config.tiedEmbeddings) return { name, bytes: bytes.get(name)!, regions };
        return { name, bytes: bytes.get(name)!, regions: [table], piece: toLookupBytes(config) };
      }),
      directive,
      (wish) => toBeside(config, positions, wish),
    );
    const runner = new LayeredRunner(this.#runtime, {
      pieces: this.#pieces,
      groups,
      boundaries: sliced.boundaries,
      embedded: sliced.embedded,
      table,
      tableMoves: !config.tiedEmbeddings,
      hidden: config.hiddenSize,
      vocabulary: config.vocabSize,
      onRelease: () => {
        this.#spool.close();
        for (const tensor of tables.values()) tensor.release();
      },
    });
    return { decoder: new Decoder(this.#runtime, runner, { config, positions }), residency: groups };
  }

  abandon(): void {
    for (const piece of this.#pieces) piece.release();
    for (const region of this.#regions) region.release();
  }
}

/**
 * Loads the model. Nothing of it is in memory before `residency.wake()`, and nothing is left when it throws.
 *
 * @throws GatewayError `limit_exceeded` with the bytes that are missing, `invalid_value` for the directive, `unsupported`
 *   elsewhere than on Linux, and what reading weights throws
 */
export async function loadLayered(options: LayeredOptions): Promise<Layered> {
  const { config, positions, directive } = options;
  openLibc();
  giveMemoryBack();
  checkDirective(directive, toGroupNames(config.layers));
  const plan = toWeightPlan(config);
  const cut = chooseCut(config, plan, directive, toBeside(config, positions, directive));
  const { graph } = buildDecoderGraph(config, positions);
  const sliced = sliceGraph(graph, plan, {
    ...cut,
    layers: config.layers,
    hidden: config.hiddenSize,
    attentionWidth: config.heads * config.kernelHeadDim,
  });
  if (options.spoolDirectory !== undefined) await mkdir(options.spoolDirectory, { recursive: true });
  const spool = new Spool(options.spoolDirectory ?? tmpdir());
  const load = new LayeredLoad(options, plan, spool);
  options.onProgress(0, options.source.totalBytes);
  try {
    return await load.run(sliced, plan);
  } catch (error) {
    load.abandon();
    spool.close();
    throw error;
  }
}
