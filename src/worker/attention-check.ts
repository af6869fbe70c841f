/**
 * How many tokens of a prompt a device computes rightly at a time. ONNX Runtime's WebGPU attention takes pieces of 32 tokens
 * and more through a kernel of their own (flash_attention.cc, 1.30). On SwiftShader, whose groups have 4 invocations, it is wrong
 * from the fifth token on and says nothing; no other adapter was at hand. So a layer of the model's own heads, over numbers
 * of ours, computes the same prompt whole and in short pieces before anything is served.
 */
import { buildDecoderGraph } from "./graph/decoder-graph.ts";
import { toModelProto } from "./graph/onnx-proto.ts";
import { toWeightPlan } from "./graph/weight-plan.ts";
import { KvCache } from "./kv-cache.ts";
import type { ModelConfig } from "./model-config.ts";
import { freeMemory, pinnedFloat32 } from "./native/memory.ts";
import type { OnnxRuntime, OrtTensor, Provider } from "./native/onnxruntime.ts";
import { toElements } from "./read-entry.ts";
import { Decoder, SessionRunner } from "./session.ts";

/** Longer than two tiles of the kernel. */
const TOKENS = 80;
/** What every adapter computed rightly: below the kernel's tile of 32. */
export const SHORT_PIECE = 16;
/** Of logits around 1 in float32, sums in another order; a wrong attention is off by a tenth and more. */
const TOLERANCE = 1e-3;

/** One small layer with the attention of the model. */
const toProbe = (config: ModelConfig): ModelConfig => ({
  ...config,
  vocabSize: 64,
  hiddenSize: 32,
  intermediateSize: 32,
  layers: 1,
  tiedEmbeddings: true,
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
  queryKeyNorm: false,
  windows: [null],
});

/** Even numbers around 0 of a size that spreads attention over many tokens; the same each time (Numerical Recipes' generator). */
function fill(values: Float32Array, seed: number): void {
  let state = seed;
  for (let index = 0; index < values.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    values[index] = state / 2 ** 32;
  }
}

/**
 * The largest difference between logits of a prompt that was computed whole and in short pieces.
 *
 * @param toTables the rotary tables of so many positions
 */
export async function measurePieces(
  runtime: OnnxRuntime,
  model: ModelConfig,
  provider: Provider,
  toTables: (config: ModelConfig, positions: number) => Map<string, OrtTensor>,
): Promise<number> {
  const config = toProbe(model);
  const tensors = toTables(config, TOKENS);
  for (const [seed, { name, dims }] of toWeightPlan(config).entries()) {
    const data = pinnedFloat32(toElements(dims));
    if (dims.length === 1) data.fill(1);
    else fill(data, seed);
    tensors.set(name, runtime.createTensor(data, dims, "float32"));
  }
  const { graph, inputNames, outputNames } = buildDecoderGraph(
    config,
    TOKENS,
    new Map(),
    "int8",
    provider === "webgpu" ? "standard" : "fused",
  );
  const session = await runtime.createSession(toModelProto(graph, runtime.externalLocation), {
    ...{ provider, threads: 1, prepack: true, initializers: tensors },
  });
  const runner = new SessionRunner(runtime, session, { inputNames, outputNames }, () => {
    for (const tensor of tensors.values()) {
      tensor.release();
      freeMemory(tensor.data);
    }
  });
  const decoder = new Decoder(runtime, runner, { config, positions: TOKENS });
  const cache = new KvCache(config, { positions: TOKENS, slots: 2, budgetBytes: 2 ** 40 });
  try {
    cache.reserve(2);
    const tokens = Array.from({ length: TOKENS }, (_, index) => (index * 37 + 11) % config.vocabSize);
    const whole = decoder.prefill(cache, 0, tokens, 0, TOKENS, "all").slice(0, TOKENS * config.vocabSize);
    let most = 0;
    for (let from = 0; from < TOKENS; from += SHORT_PIECE) {
      const piece = decoder.prefill(cache, 1, tokens, from, Math.min(TOKENS, from + SHORT_PIECE), "all");
      const rows = (Math.min(TOKENS, from + SHORT_PIECE) - from) * config.vocabSize;
      for (let index = 0; index < rows; index++) {
        // NaN stays: it is wrong, too.
        most = Math.max(most, Math.abs(whole[from * config.vocabSize + index]! - piece[index]!));
      }
    }
    return most;
  } finally {
    cache.release();
    decoder.release();
  }
}

/** What to do about it: the tokens of a piece, and a note for the log where they are few. */
export function judgePieces(
  difference: number,
  provider: Provider,
): { readonly piece?: number; readonly note?: string } {
  if (difference <= TOLERANCE) return {};
  return {
    piece: SHORT_PIECE,
    note:
      `the attention of ONNX Runtime's ${provider} provider computes prompts of 32 tokens and more wrongly on this adapter ` +
      `(off by ${difference.toPrecision(2)}): they are read ${SHORT_PIECE} tokens at a time, which is slow.`,
  };
}
