/**
 * New embedding rows by transformers' rule (`modeling_utils.py`, `_init_added_embeddings_weights_with_mean`, since 4.46):
 * drawn from N(mean, 1e-9 · covariance) of the old rows. One pass over the rows; the covariance matrix is never built.
 *
 * With old rows xᵢ (n of them, mean m) and independent zᵢ of mean 0 and variance 1, m + √(ε/n) · Σ zᵢ (xᵢ − m) has
 * exactly the mean m and the covariance ε · Σ (xᵢ − m)(xᵢ − m)ᵀ / n, and is normal as the zᵢ are. That costs n · width per new
 * row instead of n · width² for all, and needs no factorisation (where the reference gives up and takes the mean).
 */

/** The covariance's factor in transformers. */
export const COVARIANCE_FACTOR = 1e-9;

/** Uniform 32-bit words: sfc32 (Chris Doty-Humphrey, PractRand). Only integer operations, so equal on every runtime. */
function createWords(seed: number, stream: number): () => number {
  let a = seed >>> 0;
  let b = Math.floor(seed / 2 ** 32) >>> 0;
  let c = stream >>> 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum;
  };
  // The generator's own advice: seeds that differ in few bits have drifted apart after this many.
  for (let round = 0; round < 15; round += 1) next();
  return next;
}

/** Twelve 16-bit uniforms have this sum in the middle; their variance together is 1 (in units of 65536). */
const MIDDLE = 6 * 65_535;

/**
 * Standard normal numbers as sums of twelve uniforms (Irwin–Hall): no logarithm, whose last bit depends on the runtime.
 *
 * @param seed any safe integer, negative ones included
 * @param stream which of several independent sequences of this seed
 */
export function createNormal(seed: number, stream: number): () => number {
  const word = createWords(seed, stream);
  return () => {
    let sum = -MIDDLE;
    for (let round = 0; round < 6; round += 1) {
      const bits = word();
      sum += (bits >>> 16) + (bits & 0xffff);
    }
    return sum / 65_536;
  };
}

/** Takes the old rows in order, gives new ones at the end. */
export interface RowDraw {
  /** @param rows some whole rows, row-major */
  add(rows: Float32Array): void;
  /** Call once, after every old row was added. `count` rows of `width`, row-major. */
  rows(): Float32Array;
}

/**
 * Starts drawing `count` rows. The result depends on the rows, `seed` and `stream`, not on how the rows are cut.
 *
 * @param factor what the covariance is multiplied with
 */
export function createRowDraw(options: {
  readonly width: number;
  readonly count: number;
  readonly seed: number;
  readonly stream: number;
  readonly factor: number;
}): RowDraw {
  const { width, count, factor } = options;
  const normal = createNormal(options.seed, options.stream);
  const total = new Float64Array(width);
  const weighted = new Float64Array(width * count);
  const drawn = new Float64Array(count);
  let seen = 0;
  return {
    add(rows) {
      for (let start = 0; start < rows.length; start += width) {
        seen += 1;
        for (let column = 0; column < width; column += 1) total[column]! += rows[start + column]!;
        for (let row = 0; row < count; row += 1) {
          const z = normal();
          drawn[row]! += z;
          const base = row * width;
          for (let column = 0; column < width; column += 1) weighted[base + column]! += z * rows[start + column]!;
        }
      }
    },
    rows() {
      const out = new Float32Array(width * count);
      const scale = Math.sqrt(factor / seen);
      for (let row = 0; row < count; row += 1) {
        for (let column = 0; column < width; column += 1) {
          const mean = total[column]! / seen;
          const index = row * width + column;
          out[index] = mean + scale * (weighted[index]! - drawn[row]! * mean);
        }
      }
      return out;
    },
  };
}
