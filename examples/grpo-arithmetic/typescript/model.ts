/**
 * A Llama and its derivative, for one group of GRPO at a time: a prompt once and its completions beside each other, so that the prompt is
 * computed once for all of them. Float32 arithmetic, as the embedded engine of the gateway has it.
 */
import {
  attend,
  attendBack,
  gated,
  gatedBack,
  type Heads,
  normalise,
  normaliseBack,
  type Rotations,
  rotate,
  toRotations,
} from "./layers.ts";
import { type Arena, transpose } from "./matmul.ts";
import type { ModelConfig, Parameter } from "./weights.ts";

/** A prompt and what was sampled after it. */
export interface Group {
  readonly prompt: readonly number[];
  readonly completions: readonly (readonly number[])[];
}

/** Rows of a group: the prompt's, then every completion's without its last token, which predicts nothing. */
interface Tree {
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  readonly sees: readonly Int32Array[];
  readonly widest: number;
  /** Per completion and token the row that predicts it. */
  readonly predicts: readonly Int32Array[];
}

function toTree({ prompt, completions }: Group): Tree {
  const ids = [...prompt];
  const positions = prompt.map((_, index) => index);
  const sees = prompt.map((_, index) => Array.from({ length: index + 1 }, (_, row) => row));
  const predicts = completions.map((completion) => {
    const rows = [prompt.length - 1];
    const seen = prompt.map((_, index) => index);
    for (const [index, id] of completion.slice(0, -1).entries()) {
      const row = ids.length;
      rows.push(row);
      seen.push(row);
      ids.push(id);
      positions.push(prompt.length + index);
      sees.push([...seen]);
    }
    return Int32Array.from(rows.slice(0, completion.length));
  });
  const lists = sees.map((rows) => Int32Array.from(rows));
  const widest = Math.max(...lists.map(({ length }) => length));
  return { ids: Int32Array.from(ids), positions: Int32Array.from(positions), sees: lists, widest, predicts };
}

type Norms = "input_layernorm" | "post_attention_layernorm";
const PROJECTIONS = [
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.o_proj",
  "mlp.gate_proj",
  "mlp.up_proj",
  "mlp.down_proj",
] as const;
type Projection = (typeof PROJECTIONS)[number];

/** What one layer keeps for the way back. */
interface LayerTrace {
  readonly x: Float32Array;
  readonly scales: Float32Array;
  readonly normed: Float32Array;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly weights: Float32Array;
  readonly mixed: Float32Array;
  readonly middle: Float32Array;
  readonly middleScales: Float32Array;
  readonly middleNormed: Float32Array;
  readonly gate: Float32Array;
  readonly up: Float32Array;
  readonly inner: Float32Array;
}

const EMBEDDING = "model.embed_tokens.weight";
const FINAL_NORM = "model.norm.weight";

/** Weights, their transposes, and their gradients. */
export class Model {
  readonly #config: ModelConfig;
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #arena: Arena;
  readonly #heads: Heads;
  readonly #rotations: Rotations;
  /** [in, out], for the way forward. */
  readonly #turned = new Map<string, Float32Array>();
  readonly gradients = new Map<string, Float32Array>();

  constructor(config: ModelConfig, parameters: ReadonlyMap<string, Parameter>, arena: Arena) {
    this.#config = config;
    this.#parameters = parameters;
    this.#arena = arena;
    this.#heads = { queries: config.num_attention_heads, keys: config.num_key_value_heads, dim: config.head_dim };
    this.#rotations = toRotations(config.max_position_embeddings, config.head_dim, config.rope_theta);
    for (const { name, shape, values } of parameters.values()) {
      this.gradients.set(name, arena.take(values.length));
      if (shape.length === 2) this.#turned.set(name, arena.take(values.length));
    }
    this.changed();
  }

  /** To be called after the weights changed. */
  changed(): void {
    for (const [name, turned] of this.#turned) {
      const { shape, values } = this.#parameters.get(name)!;
      transpose(turned, values, shape[0]!, shape[1]!);
    }
  }

  #weight(name: string): Float32Array {
    return this.#parameters.get(name)!.values;
  }

  /** x [rows, in] → [rows, out], added to `out`. */
  #project(out: Float32Array, name: string, x: Float32Array, rows: number): void {
    const [to, from] = this.#parameters.get(name)!.shape as [number, number];
    this.#arena.multiplyAdd(out, x, this.#turned.get(name)!, { m: rows, k: from, n: to });
  }

  /** Adds dOut · W to `dx` and dOutᵀ · x to the gradient of W. */
  #projectBack(dx: Float32Array, name: string, dOut: Float32Array, x: Float32Array, rows: number): void {
    const [to, from] = this.#parameters.get(name)!.shape as [number, number];
    this.#arena.multiplyAdd(dx, dOut, this.#weight(name), { m: rows, k: to, n: from });
    const mark = this.#arena.mark();
    const turned = this.#arena.take(rows * to);
    transpose(turned, dOut, rows, to);
    this.#arena.multiplyAdd(this.gradients.get(name)!, turned, x, { m: to, k: rows, n: from });
    this.#arena.release(mark);
  }

  #layer(x: Float32Array, layer: number, tree: Tree): { readonly out: Float32Array; readonly trace: LayerTrace } {
    const { hidden_size, intermediate_size, rms_norm_eps } = this.#config;
    const rows = tree.ids.length;
    const name = (part: Projection | Norms): string => `model.layers.${layer}.${part}.weight`;
    const take = (width: number): Float32Array => this.#arena.take(rows * width);
    const { queries, keys, dim } = this.#heads;
    const [scales, normed] = [take(1), take(hidden_size)];
    normalise(normed, x, this.#weight(name("input_layernorm")), scales, rms_norm_eps);
    const [q, k, v] = [take(queries * dim), take(keys * dim), take(keys * dim)];
    this.#project(q, name("self_attn.q_proj"), normed, rows);
    this.#project(k, name("self_attn.k_proj"), normed, rows);
    this.#project(v, name("self_attn.v_proj"), normed, rows);
    rotate(q, tree.positions, this.#rotations, queries, dim);
    rotate(k, tree.positions, this.#rotations, keys, dim);
    const [mixed, weights] = [take(queries * dim), take(queries * tree.widest)];
    attend(mixed, weights, q, k, v, tree.sees, tree.widest, this.#heads);
    const middle = take(hidden_size);
    middle.set(x);
    this.#project(middle, name("self_attn.o_proj"), mixed, rows);
    const [middleScales, middleNormed] = [take(1), take(hidden_size)];
    normalise(middleNormed, middle, this.#weight(name("post_attention_layernorm")), middleScales, rms_norm_eps);
    const [gate, up, inner] = [take(intermediate_size), take(intermediate_size), take(intermediate_size)];
    this.#project(gate, name("mlp.gate_proj"), middleNormed, rows);
    this.#project(up, name("mlp.up_proj"), middleNormed, rows);
    gated(inner, gate, up);
    const out = take(hidden_size);
    out.set(middle);
    this.#project(out, name("mlp.down_proj"), inner, rows);
    const trace = { x, scales, normed, q, k, v, weights, mixed, middle, middleScales, middleNormed, gate, up, inner };
    return { out, trace };
  }

  /** `dOut` becomes the derivative with respect to the layer's input. */
  #layerBack(dOut: Float32Array, trace: LayerTrace, layer: number, tree: Tree): void {
    const { hidden_size, intermediate_size } = this.#config;
    const rows = tree.ids.length;
    const name = (part: Projection | Norms): string => `model.layers.${layer}.${part}.weight`;
    const mark = this.#arena.mark();
    const take = (width: number): Float32Array => this.#arena.take(rows * width);
    const { queries, keys, dim } = this.#heads;
    const [dInner, dMiddleNormed] = [take(intermediate_size), take(hidden_size)];
    this.#projectBack(dInner, name("mlp.down_proj"), dOut, trace.inner, rows);
    gatedBack(trace.gate, trace.up, dInner);
    this.#projectBack(dMiddleNormed, name("mlp.gate_proj"), trace.gate, trace.middleNormed, rows);
    this.#projectBack(dMiddleNormed, name("mlp.up_proj"), trace.up, trace.middleNormed, rows);
    const after = name("post_attention_layernorm");
    const dAfter = this.gradients.get(after)!;
    normaliseBack(dOut, dAfter, dMiddleNormed, trace.middle, this.#weight(after), trace.middleScales);
    const [dMixed, dq, dk, dv] = [take(queries * dim), take(queries * dim), take(keys * dim), take(keys * dim)];
    this.#projectBack(dMixed, name("self_attn.o_proj"), dOut, trace.mixed, rows);
    const { q, k, v, weights } = trace;
    attendBack(dq, dk, dv, dMixed, weights, q, k, v, tree.sees, tree.widest, this.#heads);
    rotate(dq, tree.positions, this.#rotations, queries, dim, -1);
    rotate(dk, tree.positions, this.#rotations, keys, dim, -1);
    const dNormed = take(hidden_size);
    this.#projectBack(dNormed, name("self_attn.q_proj"), dq, trace.normed, rows);
    this.#projectBack(dNormed, name("self_attn.k_proj"), dk, trace.normed, rows);
    this.#projectBack(dNormed, name("self_attn.v_proj"), dv, trace.normed, rows);
    const before = name("input_layernorm");
    normaliseBack(dOut, this.gradients.get(before)!, dNormed, trace.x, this.#weight(before), trace.scales);
    this.#arena.release(mark);
  }

  /**
   * Logprobs of every completion token, [completion][token].
   *
   * @param slopes when given: from the logprobs to the derivative of the loss with respect to each of them; the gradients
   *   are then added up in `gradients`.
   */
  run(group: Group, slopes?: (logprobs: readonly Float32Array[]) => readonly Float32Array[]): readonly Float32Array[] {
    const start = this.#arena.mark();
    const tree = toTree(group);
    const { hidden_size: width, vocab_size: vocabulary, num_hidden_layers, rms_norm_eps } = this.#config;
    const rows = tree.ids.length;
    const embedding = this.#weight(EMBEDDING);
    let x: Float32Array = this.#arena.take(rows * width);
    for (const [row, id] of tree.ids.entries()) x.set(embedding.subarray(id * width, (id + 1) * width), row * width);
    const traces: LayerTrace[] = [];
    for (let layer = 0; layer < num_hidden_layers; layer += 1) {
      const { out, trace } = this.#layer(x, layer, tree);
      traces.push(trace);
      x = out;
    }
    // Rows before the prompt's last one predict what is given.
    const first = group.prompt.length - 1;
    const heads = rows - first;
    const tail = x.subarray(first * width);
    const [scales, normed] = [this.#arena.take(heads), this.#arena.take(heads * width)];
    normalise(normed, tail, this.#weight(FINAL_NORM), scales, rms_norm_eps);
    const logits = this.#arena.take(heads * vocabulary);
    this.#project(logits, EMBEDDING, normed, heads);
    toProbabilities(logits, vocabulary);
    const logprobs = group.completions.map((completion, index) =>
      Float32Array.from(completion, (id, token) =>
        Math.log(logits[(tree.predicts[index]![token]! - first) * vocabulary + id]!),
      ),
    );
    if (slopes !== undefined) {
      const dLogits = this.#toLogitSlopes(group, tree, logits, slopes(logprobs), first);
      const dNormed = this.#arena.take(heads * width);
      this.#projectBack(dNormed, EMBEDDING, dLogits, normed, heads);
      const dx = this.#arena.take(rows * width);
      const dTail = dx.subarray(first * width);
      normaliseBack(dTail, this.gradients.get(FINAL_NORM)!, dNormed, tail, this.#weight(FINAL_NORM), scales);
      for (const [layer, trace] of [...traces.entries()].reverse()) this.#layerBack(dx, trace, layer, tree);
      const gradient = this.gradients.get(EMBEDDING)!;
      for (const [row, id] of tree.ids.entries()) {
        for (let column = 0; column < width; column += 1) {
          gradient[id * width + column] = gradient[id * width + column]! + dx[row * width + column]!;
        }
      }
    }
    this.#arena.release(start);
    return logprobs;
  }

  /** d logprob(id) / d logit(j) is [j = id] - p(j). */
  #toLogitSlopes(
    group: Group,
    tree: Tree,
    probabilities: Float32Array,
    slopes: readonly Float32Array[],
    first: number,
  ): Float32Array {
    const vocabulary = this.#config.vocab_size;
    const out = this.#arena.take(probabilities.length);
    for (const [index, completion] of group.completions.entries()) {
      for (const [token, id] of completion.entries()) {
        const slope = slopes[index]![token]!;
        if (slope === 0) continue;
        const at = (tree.predicts[index]![token]! - first) * vocabulary;
        for (let other = 0; other < vocabulary; other += 1)
          out[at + other] = out[at + other]! - slope * probabilities[at + other]!;
        out[at + id] = out[at + id]! + slope;
      }
    }
    return out;
  }
}

/** Softmax of each row, in place. */
function toProbabilities(logits: Float32Array, width: number): void {
  for (let at = 0; at < logits.length; at += width) {
    let best = Number.NEGATIVE_INFINITY;
    for (let index = at; index < at + width; index += 1) best = Math.max(best, logits[index]!);
    let total = 0;
    for (let index = at; index < at + width; index += 1) {
      const value = Math.exp(logits[index]! - best);
      logits[index] = value;
      total += value;
    }
    for (let index = at; index < at + width; index += 1) logits[index] = logits[index]! / total;
  }
}
