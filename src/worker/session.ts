/**
 * One decoder and the small tensors of its calls. A call runs the graph once over a range of cache slots: either one new
 * token for each of several sequences, or several new tokens of one (what the CPU attention kernel can). Who runs the
 * graph, whole or in pieces, is the runner's business. Nothing is allocated per step once a shape has been seen.
 */
import { HIDDEN } from "./graph/decoder-graph.ts";
import type { KvCache } from "./kv-cache.ts";
import type { ModelConfig } from "./model-config.ts";
import { pinnedBigInt64, pinnedFloat32, pinnedInt32 } from "./native/memory.ts";
import type { OnnxRuntime, OrtSession, OrtTensor, RunBinding } from "./native/onnxruntime.ts";

/** Long enough to be compute-bound, short enough that decoding waits less than a second. */
const PIECE = 256;

/** Which positions of a prefill get logits. */
export type WantedLogits = "none" | "last" | "all";

/** The tensors of one shape of call. */
interface Shape {
  /** Handles, in the order of the graph's first inputs. */
  readonly inputs: BigUint64Array;
  readonly logits: OrtTensor;
}

/** One run of the graph. */
export interface Step extends Shape {
  /** Sequences (B), new tokens of each (S), rows of logits wanted (N). */
  readonly batch: number;
  readonly tokens: number;
  readonly wanted: number;
  /** The tokens to run, [B × S], each in the low one of two words. */
  readonly ids: Int32Array;
  /** Key and value of each layer, alternating. */
  readonly cache: BigUint64Array;
  /** Where the hidden states [B, S, H] go; null = nobody wants them. */
  readonly hidden: OrtTensor | null;
}

/** Runs a decoder's graph. */
export interface StepRunner {
  /** Blocks until the logits and the cache are written. */
  run(step: Step): void;
  release(): void;
}

/** The whole graph as one session. */
export class SessionRunner implements StepRunner {
  readonly #session: OrtSession;
  readonly #binding: RunBinding;
  readonly #onRelease: () => void;
  /** The same call with the hidden states as one more output, the last; made when it is first wanted. */
  readonly #bindHidden: () => RunBinding;
  #withHidden: RunBinding | undefined;

  /** @param onRelease frees what the session used of the caller's memory */
  constructor(
    runtime: OnnxRuntime,
    session: OrtSession,
    names: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] },
    onRelease: () => void,
  ) {
    this.#session = session;
    this.#onRelease = onRelease;
    this.#binding = runtime.bind(session, names.inputNames, names.outputNames);
    this.#bindHidden = () => runtime.bind(session, names.inputNames, [...names.outputNames, HIDDEN]);
  }

  run({ inputs: small, logits, cache, hidden }: Step): void {
    if (hidden !== null) this.#withHidden ??= this.#bindHidden();
    const binding = hidden === null ? this.#binding : this.#withHidden!;
    const { inputs, outputs } = binding;
    inputs.set(small);
    inputs.set(cache, small.length);
    outputs[0] = logits.handle;
    outputs.set(cache, 1);
    if (hidden !== null) outputs[outputs.length - 1] = hidden.handle;
    binding.run();
  }

  release(): void {
    this.#session.release();
    this.#onRelease();
  }
}

export class Decoder {
  readonly config: ModelConfig;
  /** Longest context. */
  readonly positions: number;
  /** Tokens of a prompt that one call may compute. */
  readonly piece: number;
  readonly #runtime: OnnxRuntime;
  readonly #runner: StepRunner;
  readonly #shapes = new Map<string, Shape>();
  #tensors: OrtTensor[] = [];
  #computed = 0;
  #rows = 0;
  /** int64 seen as pairs of 32-bit words: the low word is the value, so no bigint is made per token. */
  #ids = new Int32Array();
  #lengths = new Int32Array();
  #total = new Int32Array();
  #lastRow = new Int32Array();
  #logits = new Float32Array();
  /** By number of tokens; memory for as many rows as there are, once somebody wants them. */
  readonly #hiddens = new Map<number, OrtTensor>();
  #hidden: Float32Array | null = null;
  #shared: { ids: BigInt64Array; every: BigInt64Array; last: BigInt64Array } | undefined;

  constructor(
    runtime: OnnxRuntime,
    runner: StepRunner,
    options: { readonly config: ModelConfig; readonly positions: number; readonly piece?: number | undefined },
  ) {
    this.#runtime = runtime;
    this.#runner = runner;
    this.config = options.config;
    this.positions = options.positions;
    this.piece = options.piece ?? PIECE;
  }

  /** Tokens run so far, of prompts and of outputs. */
  get computed(): number {
    return this.#computed;
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
      return tensor;
    };
    const count = wanted === "none" ? 0 : wanted === "last" ? 1 : batch * tokens;
    const small = [
      create(ids.subarray(0, batch * tokens), [batch, tokens], "int64"),
      create(this.#lengths.subarray(0, batch), [batch], "int32"),
      create(this.#total, [1], "int32"),
      create(wanted === "last" ? last : every.subarray(0, count), [count], "int64"),
    ];
    const inputs = BigUint64Array.from(small, ({ handle }) => handle);
    const logits = create(
      this.#logits.subarray(0, count * this.config.vocabSize),
      [count, this.config.vocabSize],
      "float32",
    );
    const shape = { inputs, logits };
    this.#shapes.set(key, shape);
    return shape;
  }

  #run(shape: Shape, batch: number, tokens: number, cache: BigUint64Array, hidden: OrtTensor | null = null): void {
    this.#computed += batch * tokens;
    const wanted = shape.logits.data.byteLength / 4 / this.config.vocabSize;
    this.#runner.run({ ...shape, batch, tokens, wanted, ids: this.#ids, cache, hidden });
  }

  #hiddenTensor(tokens: number): OrtTensor {
    const known = this.#hiddens.get(tokens);
    if (known !== undefined) return known;
    const { hiddenSize } = this.config;
    this.#hidden ??= pinnedFloat32(this.#rows * hiddenSize);
    const data = this.#hidden.subarray(0, tokens * hiddenSize);
    const made = this.#runtime.createTensor(data, [1, tokens, hiddenSize], "float32");
    this.#hiddens.set(tokens, made);
    return made;
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
    this.#run(shape, count, 1, cache.handles(0, count));
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
    this.#prefill(cache, slot, tokens, from, to, wanted, false);
    return this.#logits;
  }

  /**
   * Runs `tokens[from … to)` as `prefill` does, without logits.
   *
   * @returns the hidden states after the final norm [to - from, hidden]; the memory is reused by the next call
   */
  embed(cache: KvCache, slot: number, tokens: readonly number[], from: number, to: number): Float32Array {
    this.#prefill(cache, slot, tokens, from, to, "none", true);
    return this.#hidden!.subarray(0, (to - from) * this.config.hiddenSize);
  }

  #prefill(
    cache: KvCache,
    slot: number,
    tokens: readonly number[],
    from: number,
    to: number,
    wanted: WantedLogits,
    hidden: boolean,
  ): void {
    const count = to - from;
    this.#reserve(count);
    const shape = this.#shape(1, count, wanted);
    for (let index = 0; index < count; index++) this.#ids[2 * index] = tokens[from + index]!;
    this.#lastRow[0] = count - 1;
    this.#lengths[0] = to - 1;
    this.#total[0] = to;
    this.#run(shape, 1, count, cache.handles(slot, 1), hidden ? this.#hiddenTensor(count) : null);
  }

  #releaseTensors(): void {
    for (const tensor of [...this.#tensors, ...this.#hiddens.values()]) tensor.release();
    this.#hiddens.clear();
    this.#hidden = null;
    this.#tensors = [];
    this.#shapes.clear();
  }

  release(): void {
    this.#releaseTensors();
    this.#runner.release();
  }
}
