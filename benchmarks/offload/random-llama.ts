/** Writes a Llama checkpoint of random weights, tensor by tensor: what a model of some size costs, not what it says. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFiles } from "../../src/platform/shared/files.ts";
import { narrow } from "../../src/tensor/half.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/tensor/write.ts";

/** Sizes, named as in config.json. */
export interface Shape {
  readonly hidden: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocabulary: number;
}

/** Uniform numbers from a seed (xorshift), of about the standard deviation of trained matrices. */
function draw(count: number, seed: number): Float32Array {
  let state = seed | 1;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state / 2 ** 31) * 0.06;
  });
}

/** Writes config.json and model.safetensors (bf16, tied embeddings) into an existing directory. */
export async function writeRandomLlama(directory: string, shape: Shape): Promise<void> {
  const { hidden, inner, layers, heads, kvHeads, vocabulary } = shape;
  const headDim = hidden / heads;
  const config = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: hidden,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    vocab_size: vocabulary,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    torch_dtype: "bfloat16",
    eos_token_id: 2,
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config, null, 2));
  const tensors: TensorToWrite[] = [];
  const add = (name: string, ...dims: number[]): void => {
    const seed = 1 + 7919 * tensors.length;
    const count = dims.reduce((product, size) => product * size, 1);
    const values = () => (dims.length === 1 ? new Float32Array(count).fill(1) : draw(count, seed));
    tensors.push({ name, dtype: "BF16", shape: dims, data: () => narrow("BF16", values()) });
  };
  add("model.embed_tokens.weight", vocabulary, hidden);
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`;
    add(`${at}.input_layernorm.weight`, hidden);
    add(`${at}.self_attn.q_proj.weight`, heads * headDim, hidden);
    add(`${at}.self_attn.k_proj.weight`, kvHeads * headDim, hidden);
    add(`${at}.self_attn.v_proj.weight`, kvHeads * headDim, hidden);
    add(`${at}.self_attn.o_proj.weight`, hidden, heads * headDim);
    add(`${at}.post_attention_layernorm.weight`, hidden);
    add(`${at}.mlp.gate_proj.weight`, inner, hidden);
    add(`${at}.mlp.up_proj.weight`, inner, hidden);
    add(`${at}.mlp.down_proj.weight`, hidden, inner);
  }
  add("model.norm.weight", hidden);
  const writer = await createFiles().openWrite(join(directory, "model.safetensors"));
  await writeSafetensors(writer, tensors, { format: "pt" });
  await writer.close();
}
