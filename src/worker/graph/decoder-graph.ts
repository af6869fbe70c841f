/**
 * The ONNX graph of a decoder step, built from its configuration: Llama, and its relatives by what sets them apart
 * (architectures.ts). One graph serves prefill and decode; shapes are symbolic. Operators: standard opset 21 and com.microsoft 1 (GroupQueryAttention, SkipSimplifiedLayerNormalization,
 * QuickGelu, FusedMatMul; docs/ContribOperators.md of ONNX Runtime).
 *
 * B rows, S new tokens per row, T cache length, N rows of logits wanted:
 *   in  input_ids [B,S] int64 · seqlens_k [B] int32 (length after the step, minus 1) · total_sequence_length [1] int32
 *       (longest length after the step) · logit_idx [N] int64 (rows of the flattened [B*S]) · past.i.{key,value} [B,KV,T,D]
 *   out logits [N,V] · hidden [B,S,H] (after the final norm; bound only by who wants it) · present.i.{key,value} [B,KV,T,D], which the caller binds to the memory of past
 */
import type { ModelConfig } from "../model-config.ts";
import { codesName, correctionsName, type MatrixForm, scalesName } from "./coded-matrix.ts";
import type { Attribute, ExternalInitializer, Graph, GraphNode, GraphValue } from "./onnx-proto.ts";
import { EMBEDDING, FINAL_NORM, HEAD, linearName, normName, toWeightPlan } from "./weight-plan.ts";

const MICROSOFT = "com.microsoft";
/** The output of the final norm. It is there in any case; a session that does not bind it does not notice. */
export const HIDDEN = "hidden";
export const COS_TABLE = "rotary.cos";
export const SIN_TABLE = "rotary.sin";

/** Inputs and outputs in the order in which a session is bound; caches come last, key and value of each layer. `HIDDEN` is not among them. */
export interface DecoderGraph {
  readonly graph: Graph;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

const int = (value: number): Attribute => ({ int: value });
const float = (value: number): Attribute => ({ float: value });

/** Collects nodes; every operator returns the name of its first output. */
function createNodes() {
  const nodes: GraphNode[] = [];
  const add = (
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    outputs: readonly string[] = [`${op}.${nodes.length}`],
    domain = "",
  ): string => {
    nodes.push({ op, domain, inputs, outputs, attributes });
    return outputs[0]!;
  };
  return { nodes, add };
}

/** Initializers of a weight that is held as codes; of the embedding table as `GatherBlockQuantized` takes them. */
function toCodedInitializers(name: string, form: MatrixForm): ExternalInitializer[] {
  const { rows, columns, bits, group, corrected } = form;
  const groups = columns / group;
  const packed = (columns * bits) / 8;
  const dims = name === EMBEDDING ? [rows, packed] : [rows, groups, (group * bits) / 8];
  return [
    { name: codesName(name), dims, type: "uint8" },
    { name: scalesName(name), dims: [rows, groups] },
    ...(corrected ? [{ name: correctionsName(name), dims: [rows, groups] }] : []),
  ];
}

/**
 * What a product with codes does to its other side: rounds it to 8 bits per group, as llama.cpp does, or computes in
 * float32, which is 20 to 50 times slower and there to tell what the rounding costs.
 */
export type Activations = "int8" | "float32";

/**
 * How x Wᵀ is said: in one operator, or in those that every provider has (WebGPU has no FusedMatMul and would leave it to the
 * CPU, with a copy there and back).
 */
export type Products = "fused" | "standard";

/** Which weights are held as codes, by name; the others are float32. */
export type MatrixForms = ReadonlyMap<string, MatrixForm>;

/**
 * @param positions rows of the rotary tables: the longest context
 * @param forms of the weights that are no floats; a head of its own form may stand beside a tied embedding
 * @param products standard operators need a transposed copy of each matrix, made once when the session is compiled
 */
export function buildDecoderGraph(
  config: ModelConfig,
  positions: number,
  forms: MatrixForms = new Map(),
  activations: Activations = "int8",
  products: Products = "fused",
): DecoderGraph {
  const { nodes, add } = createNodes();
  const epsilon = { epsilon: float(config.rmsNormEps) };
  const plain = toWeightPlan(config).filter(({ name }) => !forms.has(name));
  const external: ExternalInitializer[] = plain.map(({ name, dims }) => ({ name, dims }));
  for (const [name, form] of forms) external.push(...toCodedInitializers(name, form));
  for (const name of [COS_TABLE, SIN_TABLE]) external.push({ name, dims: [positions, config.kernelHeadDim / 2] });

  /** x Wᵀ of floats; `flat`: x has two axes. */
  const dot = (x: string, weight: string, flat: boolean, outputs?: readonly string[]): string => {
    if (products === "fused") return add("FusedMatMul", [x, weight], { transB: int(1) }, outputs, MICROSOFT);
    if (flat) return add("Gemm", [x, weight], { transB: int(1) }, outputs);
    return add("MatMul", [x, add("Transpose", [weight])], {}, outputs);
  };
  /** Sums of x over each group, by x and group: the projections of one x share them. */
  const sums = new Map<string, string>();
  const toSums = (x: string, group: number, flat: boolean): string => {
    const key = `${x} ${group}`;
    const known = sums.get(key);
    if (known !== undefined) return known;
    const split = `${flat ? "rows" : "batch"}_of_${group}`;
    const made = add("ReduceSum", [add("Reshape", [x, split]), flat ? "axis_2" : "axis_3"], { keepdims: int(0) });
    sums.set(key, made);
    return made;
  };
  const codedProduct = (x: string, weight: string, form: MatrixForm, output?: string): string => {
    const { rows, columns, bits, group, corrected } = form;
    const attributes = {
      K: int(columns),
      N: int(rows),
      bits: int(bits),
      block_size: int(group),
      accuracy_level: int(activations === "int8" ? 4 : 1),
    };
    const inputs = [x, codesName(weight), scalesName(weight)];
    const last = output === undefined ? undefined : [output];
    if (!corrected) return add("MatMulNBits", inputs, attributes, last, MICROSOFT);
    const main = add("MatMulNBits", inputs, attributes, undefined, MICROSOFT);
    const flat = output !== undefined;
    return add("Add", [main, dot(toSums(x, group, flat), correctionsName(weight), flat)], {}, last);
  };
  /** x Wᵀ, with W as the checkpoint has it, plus a bias where there is one. */
  const product = (x: string, weight: string, output?: string) => {
    const form = forms.get(weight);
    if (form !== undefined) return codedProduct(x, weight, form, output);
    return dot(x, weight, output !== undefined, output === undefined ? undefined : [output]);
  };
  const linear = (layer: number, kind: string, x: string, bias: boolean) => {
    const y = product(x, linearName(layer, kind, "weight"));
    return bias ? add("Add", [y, linearName(layer, kind, "bias")]) : y;
  };
  /** RMS norm of x + residual; hands on the sum as the next residual. */
  const skipNorm = (x: string, residual: string, weight: string, name = `norm.${nodes.length}`): [string, string] => {
    add("SkipSimplifiedLayerNormalization", [x, residual, weight], epsilon, [name, "", "", `${name}.sum`], MICROSOFT);
    return [name, `${name}.sum`];
  };

  /** Of every head by itself: the same RMS norm over the head's dimensions. */
  const headNorm = (x: string, weight: string, back: string): string => {
    const heads = add("Reshape", [x, "head_shape"]);
    // The kernel's zeros count in the mean, so that it is smaller; epsilon shrinks with it (weight-plan.ts does the rest).
    const smaller = float((config.rmsNormEps * config.headDim) / config.kernelHeadDim);
    const attributes = { axis: int(-1), epsilon: smaller, stash_type: int(1) };
    return add("Reshape", [add("SimplifiedLayerNormalization", [heads, weight], attributes), back]);
  };
  /** Query, key and value as the attention takes them: packed in the first, or apart where heads are normalised. */
  const toHeads = (layer: number, x: string): [string, string, string] => {
    const packed = linear(layer, "qkv", x, config.qkvBias);
    if (!config.queryKeyNorm) return [packed, "", ""];
    const parts = ["query", "key", "value"].map((part) => `${part}.${layer}`) as [string, string, string];
    add("Split", [packed, "head_widths"], { axis: int(-1) }, parts);
    const query = headNorm(parts[0], normName(layer, "query"), "query_shape");
    return [query, headNorm(parts[1], normName(layer, "key"), "key_shape"), parts[2]];
  };

  const inputs: GraphValue[] = [
    { name: "input_ids", type: "int64", dims: ["B", "S"] },
    { name: "seqlens_k", type: "int32", dims: ["B"] },
    { name: "total_sequence_length", type: "int32", dims: [1] },
    { name: "logit_idx", type: "int64", dims: ["N"] },
  ];
  const outputs: GraphValue[] = [{ name: "logits", type: "float32", dims: ["N", config.vocabSize] }];

  const table = forms.get(EMBEDDING);
  const lookUp = (form: MatrixForm): string =>
    add(
      "GatherBlockQuantized",
      [codesName(EMBEDDING), "input_ids", scalesName(EMBEDDING)],
      { bits: int(form.bits), block_size: int(form.group), gather_axis: int(0), quantize_axis: int(1) },
      undefined,
      MICROSOFT,
    );
  let residual = table === undefined ? add("Gather", [EMBEDDING, "input_ids"], { axis: int(0) }) : lookUp(table);
  let x = add("SimplifiedLayerNormalization", [residual, normName(0, "input")], {
    axis: int(-1),
    ...epsilon,
    stash_type: int(1),
  });
  for (let layer = 0; layer < config.layers; layer++) {
    const cacheDims = ["B", config.kvHeads, "T", config.kernelHeadDim];
    const past = [`past.${layer}.key`, `past.${layer}.value`];
    const present = [`present.${layer}.key`, `present.${layer}.value`];
    for (const name of past) inputs.push({ name, type: "float32", dims: cacheDims });
    for (const name of present) outputs.push({ name, type: "float32", dims: cacheDims });
    const window = config.windows[layer] ?? null;
    const attention = add(
      "GroupQueryAttention",
      [...toHeads(layer, x), ...past, "seqlens_k", "total_sequence_length", COS_TABLE, SIN_TABLE],
      {
        num_heads: int(config.heads),
        kv_num_heads: int(config.kvHeads),
        do_rotary: int(1),
        rotary_interleaved: int(0),
        scale: float(config.headDim ** -0.5),
        // A window as long as the context masks nothing.
        ...(window !== null && window < positions ? { local_window_size: int(window) } : {}),
      },
      [`attention.${layer}`, ...present],
      MICROSOFT,
    );
    const projected = linear(layer, "o", attention, config.outputBias);
    [x, residual] = skipNorm(projected, residual, normName(layer, "post"));
    const gate = linear(layer, "gate", x, config.mlpBias);
    const up = linear(layer, "up", x, config.mlpBias);
    // QuickGelu with alpha 1 is x · sigmoid(x): SiLU in one operator.
    const gated = add("Mul", [add("QuickGelu", [gate], { alpha: float(1) }, undefined, MICROSOFT), up]);
    const down = linear(layer, "down", gated, config.mlpBias);
    const next = layer + 1 < config.layers ? normName(layer + 1, "input") : FINAL_NORM;
    [x, residual] = skipNorm(down, residual, next, next === FINAL_NORM ? HIDDEN : undefined);
  }
  const flat = add("Reshape", [x, "flat_shape"]);
  const wanted = add("Gather", [flat, "logit_idx"], { axis: int(0) });
  // A coded head has initializers of its own, over the memory of the embedding's where they are tied.
  product(wanted, config.tiedEmbeddings && !forms.has(HEAD) ? EMBEDDING : HEAD, "logits");

  const constants = [{ name: "flat_shape", int64: [-1, config.hiddenSize] }];
  for (const key of sums.keys()) {
    const group = Number(key.split(" ")[1]);
    // -1 takes what is left, 0 keeps a dimension of the input; a name that is used twice is declared once.
    for (const [name, int64] of [
      [`batch_of_${group}`, [0, 0, -1, group]],
      [`rows_of_${group}`, [0, -1, group]],
      ["axis_2", [2]],
      ["axis_3", [3]],
    ] as const) {
      if (constants.every((constant) => constant.name !== name)) constants.push({ name, int64: [...int64] });
    }
  }
  if (config.queryKeyNorm) {
    const { heads, kvHeads, kernelHeadDim } = config;
    const [queries, keys] = [heads * kernelHeadDim, kvHeads * kernelHeadDim];
    // 0 keeps a dimension of the input.
    constants.push(
      { name: "head_widths", int64: [queries, keys, keys] },
      { name: "head_shape", int64: [0, 0, -1, kernelHeadDim] },
      { name: "query_shape", int64: [0, 0, queries] },
      { name: "key_shape", int64: [0, 0, keys] },
    );
  }
  const graph: Graph = { name: "decoder", nodes, inputs, outputs, external, constants };
  const outputNames = outputs.map(({ name }) => name);
  outputs.push({ name: HIDDEN, type: "float32", dims: ["B", "S", config.hiddenSize] });
  return { graph, inputNames: inputs.map(({ name }) => name), outputNames };
}
