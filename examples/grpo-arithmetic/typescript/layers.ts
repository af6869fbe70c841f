/** The pieces of a Llama layer with their derivatives, on rows of float32. No matrix products: those are in `matmul.ts`. */

/** RMSNorm (Zhang and Sennrich, 2019): y = x · w / sqrt(mean(x²) + ε). `scales` keeps one factor per row for the way back. */
export function normalise(
  y: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  scales: Float32Array,
  epsilon: number,
): void {
  const width = weight.length;
  for (let row = 0; row < scales.length; row += 1) {
    const at = row * width;
    let squares = 0;
    for (let column = 0; column < width; column += 1) squares += x[at + column]! * x[at + column]!;
    const scale = 1 / Math.sqrt(squares / width + epsilon);
    scales[row] = scale;
    for (let column = 0; column < width; column += 1) y[at + column] = x[at + column]! * scale * weight[column]!;
  }
}

/** Adds to `dx` and `dWeight` what `dy` says. */
export function normaliseBack(
  dx: Float32Array,
  dWeight: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  scales: Float32Array,
): void {
  const width = weight.length;
  for (let row = 0; row < scales.length; row += 1) {
    const at = row * width;
    const scale = scales[row]!;
    let along = 0;
    for (let column = 0; column < width; column += 1) {
      const slope = dy[at + column]!;
      dWeight[column] = dWeight[column]! + slope * x[at + column]! * scale;
      along += slope * weight[column]! * x[at + column]!;
    }
    const back = (along * scale * scale * scale) / width;
    for (let column = 0; column < width; column += 1) {
      dx[at + column] = dx[at + column]! + dy[at + column]! * weight[column]! * scale - x[at + column]! * back;
    }
  }
}

/** Sines and cosines of rotary positions: [position, pair]. */
export interface Rotations {
  readonly sin: Float32Array;
  readonly cos: Float32Array;
}

/** For positions below `count`; `dim` is that of one head. */
export function toRotations(count: number, dim: number, theta: number): Rotations {
  const angles = Float64Array.from({ length: (count * dim) / 2 }, (_, at) => {
    const pair = at % (dim / 2);
    return ((at - pair) / (dim / 2)) * theta ** ((-2 * pair) / dim);
  });
  return { sin: Float32Array.from(angles, Math.sin), cos: Float32Array.from(angles, Math.cos) };
}

/** Rotary positions (Su et al., 2021) in the two-halves layout of transformers. `direction` -1 turns back: the derivative. */
export function rotate(
  x: Float32Array,
  positions: Int32Array,
  { sin, cos }: Rotations,
  heads: number,
  dim: number,
  direction: 1 | -1 = 1,
): void {
  const half = dim / 2;
  for (let row = 0; row < positions.length; row += 1) {
    const angles = positions[row]! * half;
    for (let head = 0; head < heads; head += 1) {
      const from = (row * heads + head) * dim;
      for (let pair = 0; pair < half; pair += 1) {
        const first = x[from + pair]!;
        const second = x[from + pair + half]!;
        const along = cos[angles + pair]!;
        const across = direction * sin[angles + pair]!;
        x[from + pair] = first * along - second * across;
        x[from + pair + half] = second * along + first * across;
      }
    }
  }
}

/** SwiGLU (Shazeer, 2020): out = silu(gate) · up. */
export function gated(out: Float32Array, gate: Float32Array, up: Float32Array): void {
  for (let index = 0; index < out.length; index += 1) {
    out[index] = (gate[index]! / (1 + Math.exp(-gate[index]!))) * up[index]!;
  }
}

/** Overwrites `gate` and `up` with their derivatives. */
export function gatedBack(gate: Float32Array, up: Float32Array, dOut: Float32Array): void {
  for (let index = 0; index < dOut.length; index += 1) {
    const g = gate[index]!;
    const u = up[index]!;
    const d = dOut[index]!;
    const sigmoid = 1 / (1 + Math.exp(-g));
    gate[index] = d * u * sigmoid * (1 + g * (1 - sigmoid));
    up[index] = d * g * sigmoid;
  }
}

export interface Heads {
  readonly queries: number;
  readonly keys: number;
  readonly dim: number;
}

/**
 * Causal attention of a tree: each row sees the rows in its list `sees` (its prompt, then its own completion). Query head i reads
 * key head i / (queries / keys). `weights` [row, head, seen] is kept for the way back.
 */
export function attend(
  out: Float32Array,
  weights: Float32Array,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  sees: readonly Int32Array[],
  widest: number,
  { queries, keys, dim }: Heads,
): void {
  const share = queries / keys;
  const scale = 1 / Math.sqrt(dim);
  for (let row = 0; row < sees.length; row += 1) {
    const seen = sees[row]!;
    for (let head = 0; head < queries; head += 1) {
      const from = (row * queries + head) * dim;
      const at = (row * queries + head) * widest;
      const column = Math.floor(head / share) * dim;
      let best = Number.NEGATIVE_INFINITY;
      for (let place = 0; place < seen.length; place += 1) {
        const key = seen[place]! * keys * dim + column;
        let score = 0;
        for (let index = 0; index < dim; index += 1) score += q[from + index]! * k[key + index]!;
        weights[at + place] = score * scale;
        if (score * scale > best) best = score * scale;
      }
      let total = 0;
      for (let place = 0; place < seen.length; place += 1) {
        const value = Math.exp(weights[at + place]! - best);
        weights[at + place] = value;
        total += value;
      }
      for (let place = 0; place < seen.length; place += 1) {
        const weight = weights[at + place]! / total;
        weights[at + place] = weight;
        const value = seen[place]! * keys * dim + column;
        for (let index = 0; index < dim; index += 1)
          out[from + index] = out[from + index]! + weight * v[value + index]!;
      }
    }
  }
}

/** Adds to `dq`, `dk` and `dv` what `dOut` says. */
export function attendBack(
  dq: Float32Array,
  dk: Float32Array,
  dv: Float32Array,
  dOut: Float32Array,
  weights: Float32Array,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  sees: readonly Int32Array[],
  widest: number,
  { queries, keys, dim }: Heads,
): void {
  const share = queries / keys;
  const scale = 1 / Math.sqrt(dim);
  const slopes = new Float32Array(widest);
  for (let row = 0; row < sees.length; row += 1) {
    const seen = sees[row]!;
    for (let head = 0; head < queries; head += 1) {
      const from = (row * queries + head) * dim;
      const at = (row * queries + head) * widest;
      const column = Math.floor(head / share) * dim;
      let mean = 0;
      for (let place = 0; place < seen.length; place += 1) {
        const value = seen[place]! * keys * dim + column;
        const weight = weights[at + place]!;
        let slope = 0;
        for (let index = 0; index < dim; index += 1) {
          slope += dOut[from + index]! * v[value + index]!;
          dv[value + index] = dv[value + index]! + weight * dOut[from + index]!;
        }
        slopes[place] = slope;
        mean += weight * slope;
      }
      for (let place = 0; place < seen.length; place += 1) {
        const key = seen[place]! * keys * dim + column;
        const slope = weights[at + place]! * (slopes[place]! - mean) * scale;
        for (let index = 0; index < dim; index += 1) {
          dq[from + index] = dq[from + index]! + slope * k[key + index]!;
          dk[key + index] = dk[key + index]! + slope * q[from + index]!;
        }
      }
    }
  }
}
