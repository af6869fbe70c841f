/**
 * Which Hugging Face tensors a decoder has, and how they become the graph's initializers. Checkpoint matrices are
 * [out, in] and stay so (the graph multiplies by the transpose); q, k and v are stacked by rows, so that packing them
 * is one copy after the other.
 */
import type { ModelConfig } from "../model-config.ts";
import type { HeadPadding } from "./pad-heads.ts";

/** One tensor of the checkpoint. */
export interface TensorPart {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One initializer of the graph: the parts' elements, one after the other. */
export interface WeightPlanEntry {
  readonly name: string;
  readonly dims: readonly number[];
  readonly parts: readonly TensorPart[];
  /** Only ever the right side of a matrix product: the session keeps a packed copy of its own. */
  readonly packed: boolean;
  /** Where the heads of the parts go, when the kernel's head dimension is not the checkpoint's. */
  readonly padding: HeadPadding | null;
  /** What every element is multiplied by. */
  readonly scale: number;
}

/** The initializer of a layer's linear map; `kind` is `qkv`, `o`, `gate`, `up` or `down`. */
export const linearName = (layer: number, kind: string, part: "weight" | "bias") => `layer.${layer}.${kind}.${part}`;
/** The norm before attention (`input`), before the MLP (`post`), or of each query or key head. */
export const normName = (layer: number, kind: "input" | "post" | "query" | "key") => `layer.${layer}.norm.${kind}`;
export const EMBEDDING = "embedding";
export const FINAL_NORM = "norm.final";
export const HEAD = "head";

/** Every initializer in the order in which the graph uses them. */
export function toWeightPlan(config: ModelConfig): readonly WeightPlanEntry[] {
  const { hiddenSize: hidden, intermediateSize: inner, headDim, kernelHeadDim, heads, kvHeads } = config;
  const toPadding = (axis: HeadPadding["axis"]): HeadPadding | null =>
    headDim === kernelHeadDim ? null : { axis, headDim, kernelHeadDim };
  const plan: WeightPlanEntry[] = [];
  const add = (
    name: string,
    parts: readonly TensorPart[],
    packed: boolean,
    padding: HeadPadding | null = null,
    scale = 1,
  ) => {
    let rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
    let columns = parts[0]!.shape.slice(1);
    if (padding?.axis === "rows") rows = (rows / headDim) * kernelHeadDim;
    if (padding?.axis === "columns") columns = columns.map((size) => (size / headDim) * kernelHeadDim);
    plan.push({ name, dims: [rows, ...columns], parts, packed, padding, scale });
  };
  const linear = (
    layer: number,
    kind: string,
    modules: readonly (readonly [module: string, rows: number])[],
    width: number,
    bias: boolean,
    padding: HeadPadding | null = null,
  ) => {
    const toParts = (tensor: "weight" | "bias") =>
      modules.map(([module, rows]) => ({
        name: `model.layers.${layer}.${module}.${tensor}`,
        shape: tensor === "weight" ? [rows, width] : [rows],
      }));
    add(linearName(layer, kind, "weight"), toParts("weight"), true, padding);
    // A bias has rows only: padded columns of its matrix do not concern it.
    if (bias) add(linearName(layer, kind, "bias"), toParts("bias"), false, padding?.axis === "rows" ? padding : null);
  };
  const vector = (name: string, tensor: string) => add(name, [{ name: tensor, shape: [hidden] }], false);

  const table = { name: "model.embed_tokens.weight", shape: [config.vocabSize, hidden] };
  add(EMBEDDING, [table], false);
  for (let layer = 0; layer < config.layers; layer++) {
    const projections = [
      ["self_attn.q_proj", heads * headDim],
      ["self_attn.k_proj", kvHeads * headDim],
      ["self_attn.v_proj", kvHeads * headDim],
    ] as const;
    vector(normName(layer, "input"), `model.layers.${layer}.input_layernorm.weight`);
    linear(layer, "qkv", projections, hidden, config.qkvBias, toPadding("rows"));
    if (config.queryKeyNorm) {
      for (const [kind, module] of [
        ["query", "q_norm"],
        ["key", "k_norm"],
      ] as const) {
        const part = { name: `model.layers.${layer}.self_attn.${module}.weight`, shape: [headDim] };
        // The kernel's mean runs over the padded dimension: the weight takes back what the zeros took from it.
        add(normName(layer, kind), [part], false, toPadding("rows"), Math.sqrt(headDim / kernelHeadDim));
      }
    }
    linear(layer, "o", [["self_attn.o_proj", hidden]], heads * headDim, config.outputBias, toPadding("columns"));
    vector(normName(layer, "post"), `model.layers.${layer}.post_attention_layernorm.weight`);
    linear(layer, "gate", [["mlp.gate_proj", inner]], hidden, config.mlpBias);
    linear(layer, "up", [["mlp.up_proj", inner]], hidden, config.mlpBias);
    linear(layer, "down", [["mlp.down_proj", hidden]], inner, config.mlpBias);
  }
  vector(FINAL_NORM, "model.norm.weight");
  if (!config.tiedEmbeddings) add(HEAD, [{ name: "lm_head.weight", shape: table.shape }], true);
  return plan;
}

/** Every tensor that a checkpoint of this configuration has, in plan order. */
export function toTensorParts(config: ModelConfig): readonly TensorPart[] {
  return toWeightPlan(config).flatMap((entry) => entry.parts);
}
