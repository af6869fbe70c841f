/** Adam (Kingma and Ba, 2015) on float32 master copies; the model computes with their bfloat16 values, as the server does. */
import { fromBfloat16, type Parameter, toBfloat16 } from "./weights.ts";

export interface AdamOptions {
  readonly rate: number;
  /** Gradients longer than this, over all parameters, are scaled down to it. */
  readonly clipNorm: number;
}

const [BETA1, BETA2, EPSILON] = [0.9, 0.99, 1e-8];
/** Steps until the full rate: the first gradients say little about how much they vary. */
const WARM_UP = 8;

/** Keeps the state of all parameters. `step` changes `values` in place. */
export class Adam {
  readonly #parameters: readonly Parameter[];
  readonly #options: AdamOptions;
  readonly #state: readonly { readonly master: Float32Array; readonly m: Float32Array; readonly v: Float32Array }[];
  #steps = 0;

  constructor(parameters: Iterable<Parameter>, options: AdamOptions) {
    this.#parameters = [...parameters];
    this.#options = options;
    this.#state = this.#parameters.map(({ values }) => ({
      master: Float32Array.from(values),
      m: new Float32Array(values.length),
      v: new Float32Array(values.length),
    }));
  }

  /** One step downhill along `gradients`, which are set to zero. */
  step(gradients: ReadonlyMap<string, Float32Array>): void {
    this.#steps += 1;
    let squares = 0;
    for (const gradient of gradients.values()) for (const value of gradient) squares += value * value;
    const scale = Math.min(1, this.#options.clipNorm / (Math.sqrt(squares) + 1e-6));
    const warmth = Math.min(1, this.#steps / WARM_UP);
    const rate = (warmth * this.#options.rate * Math.sqrt(1 - BETA2 ** this.#steps)) / (1 - BETA1 ** this.#steps);
    const epsilon = EPSILON * Math.sqrt(1 - BETA2 ** this.#steps);
    for (const [index, { name, values }] of this.#parameters.entries()) {
      const { master, m, v } = this.#state[index]!;
      const gradient = gradients.get(name)!;
      for (let at = 0; at < values.length; at += 1) {
        const slope = gradient[at]! * scale;
        m[at] = BETA1 * m[at]! + (1 - BETA1) * slope;
        v[at] = BETA2 * v[at]! + (1 - BETA2) * slope * slope;
        master[at] = master[at]! - (rate * m[at]!) / (Math.sqrt(v[at]!) + epsilon);
        values[at] = fromBfloat16(toBfloat16(master[at]!));
      }
      gradient.fill(0);
    }
  }
}
