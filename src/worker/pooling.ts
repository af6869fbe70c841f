/**
 * From hidden states to one vector for a whole prompt, as vLLM 0.32 pools (`LastPool`, `MeanPool`, then `PoolerNormalize`).
 * Takes them chunk by chunk. Knows numbers only.
 */
import type { Pooling, PoolingType } from "../contract/generation.ts";

/** The vector of one prompt while its chunks come in. Chunks that start over begin it anew. */
export class Pool {
  readonly #type: PoolingType;
  readonly #hiddenSize: number;
  /** Sums are wider than what is summed: 10,000 tokens lose no digit. */
  #sums: Float64Array;
  #tokens = 0;

  constructor(type: PoolingType, hiddenSize: number) {
    this.#type = type;
    this.#hiddenSize = hiddenSize;
    this.#sums = new Float64Array(hiddenSize);
  }

  /**
   * @param rows hidden states [count, hidden] of the tokens from position `from` on; a chunk follows the one before
   */
  add(rows: Float32Array, from: number): void {
    const width = this.#hiddenSize;
    const count = rows.length / width;
    if (this.#type === "last") {
      this.#sums = Float64Array.from(rows.subarray((count - 1) * width));
      this.#tokens = 1;
      return;
    }
    if (from === 0) {
      this.#sums.fill(0);
      this.#tokens = 0;
    }
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < width; column++) {
        this.#sums[column] = this.#sums[column]! + rows[row * width + column]!;
      }
    }
    this.#tokens += count;
  }

  /** The pooled vector [hidden]. */
  values(): Float32Array {
    return Float32Array.from(this.#sums, (sum) => sum / this.#tokens);
  }
}

/** Below this a vector counts as zero and is not scaled up: torch's `normalize`. */
const LEAST_LENGTH = 1e-12;

/**
 * Cuts and scales a pooled vector as was asked.
 *
 * @example
 * ```ts
 * import { toEmbedding } from "./pooling.ts";
 * const unit = toEmbedding(Float32Array.of(3, 4), { type: "last", normalize: true });
 * if (Math.abs(unit[0]! - 0.6) > 1e-6) throw new Error("not of length 1");
 * ```
 */
export function toEmbedding(pooled: Float32Array, { normalize, dimensions }: Pooling): Float32Array {
  const cut = dimensions === undefined ? pooled : pooled.slice(0, dimensions);
  if (!normalize) return cut;
  let squares = 0;
  for (const value of cut) squares += value * value;
  const length = Math.max(Math.sqrt(squares), LEAST_LENGTH);
  return cut.map((value) => value / length);
}
