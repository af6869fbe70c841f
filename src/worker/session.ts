/**
 * One compiled decoder and the small tensors of its calls. A call runs the graph once over a range of cache slots:
 * either one new token for each of several sequences, or several new tokens of one (what the CPU attention kernel can).
 * Nothing is allocated per step once a shape has been seen.
 */
import type { KvCache } from "./kv-cache.ts";
import type { ModelConfig } from "./model-config.ts";
import { pinnedBigInt64, pinnedFloat32, pinnedInt32 } from "./native/memory.ts";
import type { OnnxRuntime, OrtSession, OrtTensor, RunBinding } from "./native/onnxruntime.ts";

/** Which positions of a prefill get logits. */
export type WantedLogits = "none" | "last" | "all";

/** Handles of one shape of call, in the order of the graph's first inputs and its first output. */
interface Shape {
  readonly inputs: BigUint64Array;
  readonly logits: bigint;
}

export class Decoder {
  readonly config: ModelConfig;
  /** Longest context. */
  readonly positions: number;
  readonly #runtime: OnnxRuntime;
  readonly #session: OrtSession;
  readonly #binding: RunBinding;
  readonly #shapes = new Map<string, Shape>();
  #tensors: OrtTensor[] = [];
  #rows = 0;
  /** int64 seen as pairs of 32-bit words: the low word is the value, so no bigint is made per token. */
  #ids = new Int32Array();
  #lengths = new Int32Array();
  #total = new Int32Array();
  #lastRow = new Int32Array();
  #logits = new Float32Array();
  #shared: { ids: BigInt64Array; every: BigInt64Array; last: BigInt64Array } | undefined;

  constructor(
    runtime: OnnxRuntime,
    session: OrtSession,
    options: {
      readonly config: ModelConfig;
      readonly positions: number;
      readonly inputNames: readonly string[];
      readonly outputNames: readonly string[];
    },
  ) {
    this.#runtime = runtime;
    this.#session = session;
    this.config = options.config;
    this.positions = options.positions;
    this.#binding = runtime.bind(session, options.inputNames, options.outputNames);
  }

  /** Buffers for up to `rows` tokens (and as many rows of logits) per call. */
  #reserve(rows: number): void {
    if (rows <= this.#rows) return;
    this.#releaseTensors();
    this.#rows = Math.max(rows, 2 * this.#rows);
    const ids = pinnedBigInt64(this.#rows);
    const every = pinnedBigInt64(this.#rows);
    for (let row = 0; row < this.#rows; row++) every[row] = BigInt(row);
    const last = pinnedBigInt64(1);
    this.#shared = { ids, every, last };
    this.#ids = new Int32Array(ids.buffer);
    this.#lastRow = new Int32Array(last.buffer);
    this.#lengths = pinnedInt32(this.#rows);
    this.#total = pinnedInt32(1);
    this.#logits = pinnedFloat32(this.#rows * this.config.vocabSize);
  }

  #shape(batch: number, tokens: number, wanted: WantedLogits): Shape {
    const key = `${batch},${tokens},${wanted}`;
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const { ids, every, last } = this.#shared!;
    const create = (data: ArrayBufferView, dims: readonly number[], type: "int32" | "int64" | "float32") => {
      const tensor = this.#runtime.createTensor(data, dims, type);
      this.#tensors.push(tensor);
      return tensor.handle;
    };
    const count = wanted === "none" ? 0 : wanted === "last" ? 1 : batch * tokens;
    const inputs = new BigUint64Array([
      create(ids.subarray(0, batch * tokens), [batch, tokens], "int64"),
      create(this.#lengths.subarray(0, batch), [batch], "int32"),
      create(this.#total, [1], "int32"),
      create(wanted === "last" ? last : every.subarray(0, count), [count], "int64"),
    ]);
    const logits = create(
      this.#logits.subarray(0, count * this.config.vocabSize),
      [count, this.config.vocabSize],
      "float32",
    );
    const shape = { inputs, logits };
    this.#shapes.set(key, shape);
    return shape;
  }

  #run(shape: Shape, cache: BigUint64Array): void {
    const { inputs, outputs } = this.#binding;
    inputs.set(shape.inputs);
    inputs.set(cache, shape.inputs.length);
    outputs[0] = shape.logits;
    outputs.set(cache, 1);
    this.#binding.run();
  }

  /**
   * One new token for each of the sequences in slots 0 … count − 1.
   *
   * @param ids the token to run, by row
   * @param lengths tokens already in the row's cache
   * @returns logits [count, vocabulary]; the memory is reused by the next call
   */
  decode(cache: KvCache, count: number, ids: (row: number) => number, lengths: (row: number) => number): Float32Array {
    this.#reserve(count);
    const shape = this.#shape(count, 1, "all");
    let longest = 0;
    for (let row = 0; row < count; row++) {
      this.#ids[2 * row] = ids(row);
      const length = lengths(row);
      this.#lengths[row] = length;
      longest = Math.max(longest, length + 1);
    }
    this.#total[0] = longest;
    this.#run(shape, cache.handles(0, count));
    return this.#logits;
  }

  /**
   * Runs `tokens[from … to)` of one sequence, whose first `from` tokens are in the slot's cache.
   *
   * @returns logits of no, the last or all of these positions; the memory is reused by the next call
   */
  prefill(
    cache: KvCache,
    slot: number,
    tokens: readonly number[],
    from: number,
    to: number,
    wanted: WantedLogits,
  ): Float32Array {
    const count = to - from;
    this.#reserve(count);
    const shape = this.#shape(1, count, wanted);
    for (let index = 0; index < count; index++) this.#ids[2 * index] = tokens[from + index]!;
    this.#lastRow[0] = count - 1;
    this.#lengths[0] = to - 1;
    this.#total[0] = to;
    this.#run(shape, cache.handles(slot, 1));
    return this.#logits;
  }

  #releaseTensors(): void {
    for (const tensor of this.#tensors) tensor.release();
    this.#tensors = [];
    this.#shapes.clear();
  }

  release(): void {
    this.#releaseTensors();
    this.#session.release();
  }
}
