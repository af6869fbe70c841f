/**
 * The key/value cache: one array per layer and side, [slots, kvHeads, T, headDim] float32, in memory of ours that the
 * attention kernel updates in place. Grows by whole slots. Knows rows and lengths, not sequences.
 */
import { GatewayError } from "../errors.ts";
import type { ModelConfig } from "./model-config.ts";
import { discardMemory } from "./native/mapping.ts";
import { freeMemory, pinnedFloat32, pinnedPointers } from "./native/memory.ts";
import { type OrtTensor, openOnnxRuntime } from "./native/onnxruntime.ts";

export interface KvCacheOptions {
  /** T: tokens per slot. */
  readonly positions: number;
  /** Slots at most. */
  readonly slots: number;
  /** Bytes that the tokens in all slots together may take. */
  readonly budgetBytes: number;
}

/** Bytes of one slot: keys and values of all layers. */
export function slotBytes(config: ModelConfig, positions: number): number {
  return 2 * config.layers * config.kvHeads * positions * config.kernelHeadDim * Float32Array.BYTES_PER_ELEMENT;
}

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/**
 * One sequence of the longest context must fit; more share what there is.
 *
 * @throws GatewayError `limit_exceeded` with the numbers and how long a context would fit
 */
export function checkKvBudget(config: ModelConfig, options: Omit<KvCacheOptions, "slots">): void {
  const { positions, budgetBytes } = options;
  const each = slotBytes(config, positions);
  if (each <= budgetBytes) return;
  const fitting = Math.floor(budgetBytes / (each / positions));
  throw new GatewayError(
    "limit_exceeded",
    `The KV cache of one sequence of ${positions} tokens takes ${mebibytes(each)}, more than the ` +
      `${mebibytes(budgetBytes)} there are for it. What fits: ` +
      `${fitting < 1 ? "nothing; it needs more memory" : `--max-model-len ${fitting}`}.`,
    { param: "max_model_len" },
  );
}

interface View {
  readonly handles: BigUint64Array;
  readonly tensors: readonly OrtTensor[];
}

/** Slots allocated at first; doubled on demand, so that an idle replica stays small. */
const FIRST_SLOTS = 4;

export class KvCache {
  readonly positions: number;
  readonly #config: ModelConfig;
  readonly #maxSlots: number;
  /** Elements of one slot in one array. */
  readonly #row: number;
  #slots = 0;
  /** Tokens of each slot whose memory has been written to, and is taken. */
  #touched: number[] = [];
  /** Key and value of each layer, alternating. */
  #arrays: Float32Array<ArrayBuffer>[] = [];
  #views = new Map<number, View>();

  /** @throws GatewayError `limit_exceeded` when one slot does not fit the budget */
  constructor(config: ModelConfig, options: KvCacheOptions) {
    checkKvBudget(config, options);
    this.#config = config;
    this.positions = options.positions;
    this.#maxSlots = options.slots;
    this.#row = config.kvHeads * options.positions * config.kernelHeadDim;
  }

  /** Tokens of all slots whose memory is taken. Only counted where the slots could take more than was allowed. */
  get touchedTokens(): number {
    return this.#touched.reduce((sum, tokens) => sum + tokens, 0);
  }

  /** Floats of one token: keys and values of all layers. */
  get tokenElements(): number {
    return 2 * this.#config.layers * this.#config.kvHeads * this.#config.kernelHeadDim;
  }

  /**
   * Makes sure that `slots` rows exist.
   *
   * @param kept tokens to keep of each slot, from the first on: memory never written is never touched, so that a long
   *   context costs what is used of it
   */
  reserve(slots: number, kept: readonly number[] = []): void {
    if (slots <= this.#slots) return;
    const next = Math.min(this.#maxSlots, Math.max(slots, FIRST_SLOTS, this.#slots * 2));
    this.#releaseViews();
    const { kvHeads, kernelHeadDim: headDim } = this.#config;
    const span = this.positions * headDim;
    const before = this.#arrays;
    this.#arrays = Array.from({ length: 2 * this.#config.layers }, (_, index) => {
      const grown = pinnedFloat32(next * this.#row);
      const old = before[index];
      if (old === undefined) return grown;
      for (const [slot, length] of kept.entries()) {
        for (let head = 0; head < kvHeads; head++) {
          const start = slot * this.#row + head * span;
          grown.set(old.subarray(start, start + length * headDim), start);
        }
      }
      return grown;
    });
    // Not one by one: what is allocated next would lie in memory just freed, and be written with zeros from end to end.
    for (const old of before) freeMemory(old);
    this.#slots = next;
    this.#touched = Array.from({ length: next }, (_, slot) => kept[slot] ?? 0);
  }

  /**
   * Gives memory back where slots hold more than they are about to use, if all together would take more than `tokens`.
   *
   * @param lengths tokens that each slot will have; those beyond have none
   */
  keepWithin(tokens: number, lengths: readonly number[]): void {
    // Slots that can all be full need no counting.
    if (this.#maxSlots * this.positions <= tokens) return;
    let taken = 0;
    for (let slot = 0; slot < this.#slots; slot++) {
      this.#touched[slot] = Math.max(this.#touched[slot]!, lengths[slot] ?? 0);
      taken += this.#touched[slot]!;
    }
    for (let slot = this.#slots - 1; slot >= 0 && taken > tokens; slot--) {
      const length = lengths[slot] ?? 0;
      taken -= this.#touched[slot]! - length;
      this.#discard(slot, length);
    }
  }

  /** Gives the memory behind the first `length` tokens of a slot back. */
  #discard(slot: number, length: number): void {
    const count = this.#touched[slot]! - length;
    this.#touched[slot] = length;
    if (count > 0) {
      this.#eachSpan(slot, length, count, (array, start, end) => discardMemory(array, 4 * start, 4 * end));
    }
  }

  /** Copies tokens `from … from + count − 1` of a slot to `target`: [layer and side, kvHeads, count, headDim]. */
  copyOut(slot: number, from: number, count: number, target: Float32Array): void {
    this.#eachSpan(slot, from, count, (array, start, end, at) => target.set(array.subarray(start, end), at));
  }

  /** Copies back what `copyOut` took. */
  copyIn(slot: number, from: number, count: number, source: Float32Array): void {
    this.#eachSpan(slot, from, count, (array, start, end, at) => {
      array.set(source.subarray(at, at + end - start), start);
    });
  }

  /** The contiguous pieces that hold some tokens of a slot, and where each goes when they are laid end to end. */
  #eachSpan(
    slot: number,
    from: number,
    count: number,
    visit: (array: Float32Array, start: number, end: number, at: number) => void,
  ): void {
    const { kvHeads, kernelHeadDim: headDim } = this.#config;
    let at = 0;
    for (const array of this.#arrays) {
      for (let head = 0; head < kvHeads; head++) {
        const start = slot * this.#row + (head * this.positions + from) * headDim;
        visit(array, start, start + count * headDim, at);
        at += count * headDim;
      }
    }
  }

  /** Copies the first `length` positions of slot `from` to slot `to`. */
  copy(from: number, to: number, length: number): void {
    if (from === to || length === 0) return;
    this.#touched[to] = Math.max(this.#touched[to]!, length);
    const { kvHeads, kernelHeadDim: headDim } = this.#config;
    const span = this.positions * headDim;
    for (const array of this.#arrays) {
      for (let head = 0; head < kvHeads; head++) {
        const source = from * this.#row + head * span;
        array.copyWithin(to * this.#row + head * span, source, source + length * headDim);
      }
    }
  }

  /**
   * Handles of the tensors over slots `first` … `first + count − 1`: key and value of each layer, alternating. The same
   * handles serve as past and present. Valid until the next `reserve` that grows, or `release`.
   */
  handles(first: number, count: number): BigUint64Array {
    const key = first * (this.#maxSlots + 1) + count;
    const known = this.#views.get(key);
    if (known !== undefined) return known.handles;
    const runtime = openOnnxRuntime();
    const { kvHeads, kernelHeadDim: headDim } = this.#config;
    const tensors = this.#arrays.map((array) =>
      runtime.createTensor(
        array.subarray(first * this.#row, (first + count) * this.#row),
        [count, kvHeads, this.positions, headDim],
        "float32",
      ),
    );
    const handles = pinnedPointers(tensors.length);
    for (const [index, tensor] of tensors.entries()) handles[index] = tensor.handle;
    this.#views.set(key, { handles, tensors });
    return handles;
  }

  #releaseViews(): void {
    for (const { tensors } of this.#views.values()) for (const tensor of tensors) tensor.release();
    this.#views = new Map();
  }

  /** Gives all memory back; the cache may be used again afterwards (empty). */
  release(): void {
    this.#releaseViews();
    for (const array of this.#arrays) freeMemory(array);
    this.#arrays = [];
    this.#slots = 0;
    this.#touched = [];
  }
}
