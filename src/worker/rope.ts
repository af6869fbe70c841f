/**
 * Rotary position embedding tables (Su et al., arXiv:2104.09864), in the halves layout of Hugging Face's Llama.
 */

export interface RotaryTables {
  /** [positions, columns], row-major. */
  readonly cos: Float32Array<ArrayBuffer>;
  readonly sin: Float32Array<ArrayBuffer>;
}

/**
 * cos and sin of `position × theta^(-2j / headDim)`.
 *
 * @param positions rows; the longest context that will be run
 * @param columns of the tables, at least headDim / 2; the excess is angle 0
 */
export function toRotaryTables(headDim: number, theta: number, positions: number, columns = headDim / 2): RotaryTables {
  const cos = new Float32Array(positions * columns).fill(1);
  const sin = new Float32Array(positions * columns);
  for (let j = 0; j < headDim / 2; j++) {
    const frequency = theta ** ((-2 * j) / headDim);
    for (let position = 0; position < positions; position++) {
      // The angle in double precision, then narrowed once.
      cos[position * columns + j] = Math.cos(position * frequency);
      sin[position * columns + j] = Math.sin(position * frequency);
    }
  }
  return { cos, sin };
}
