/**
 * What a model takes in memory, against what there is, before a byte of its weights is read: a start that cannot succeed
 * ends with a sentence, not with the kernel ending the process. Estimates; allocates nothing.
 */
import { GatewayError } from "../errors.ts";
import { matrixBytes } from "./graph/coded-matrix.ts";
import { toWeightPlan } from "./graph/weight-plan.ts";
import { availableKvBytes } from "./kv-budget.ts";
import { slotBytes } from "./kv-cache.ts";
import type { ModelConfig } from "./model-config.ts";
import { chooseHolding, type Quantize } from "./read-matrix.ts";
import type { TensorSource } from "./read-weights.ts";
import { availableBytes } from "./residency/available.ts";

/** What the caller knows of the memory. */
export interface MemoryLimits {
  /** Sequences that are to be held at a time. */
  readonly slots: number;
  /** `--memory-budget`: bytes that one replica may take in all; undefined = what is free. */
  readonly budgetBytes: number | undefined;
  /** Replicas that start at the same time on this machine: what is free is shared. */
  readonly replicas: number;
}

/** Bytes. */
export interface MemoryPlan {
  readonly weights: number;
  /** While the weights are read and packed: the session's copies stand beside ours. */
  readonly loading: number;
  /** Activations of a prompt's piece, logits of every running sequence. */
  readonly buffers: number;
  /** Of the buffers, what each token of `positions` takes: attention over the whole context, the rotary tables. */
  readonly bufferToken: number;
  /** KV cache of one token of one sequence. */
  readonly token: number;
  readonly positions: number;
}

/** Tokens of a prompt that are computed at a time (batch.ts). */
const PIECE = 256;
/** The runtime, its libraries and the vocabulary: measured 60 to 150 MiB. */
const PROCESS_BYTES = 128 * 2 ** 20;
const FLOAT = 4;

const elements = (dims: readonly number[]) => dims.reduce((product, size) => product * size, 1);

/** Estimates what a model takes. */
export function planMemory(
  config: ModelConfig,
  source: Pick<TensorSource, "blockType" | "wasBlocks">,
  quantize: Quantize,
  positions: number,
): MemoryPlan {
  let weights = 0;
  let packedTwice = 0;
  let scratch = 0;
  for (const entry of toWeightPlan(config)) {
    const holding = chooseHolding(entry, source, quantize);
    const floats = FLOAT * elements(entry.dims);
    const bytes = holding.kind === "float32" ? floats : matrixBytes(holding.form);
    weights += bytes;
    if (entry.packed) packedTwice += bytes;
    if (holding.kind === "rounded") scratch = Math.max(scratch, floats);
  }
  const { heads, intermediateSize, hiddenSize, vocabSize } = config;
  const bufferToken = FLOAT * (PIECE * heads + config.kernelHeadDim);
  const buffers = FLOAT * PIECE * (3 * intermediateSize + 6 * hiddenSize + vocabSize) + bufferToken * positions;
  const loading = weights + packedTwice + scratch;
  return { weights, loading, buffers, bufferToken, token: slotBytes(config, 1), positions };
}

const show = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(2)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Bytes that a model with one sequence of so many tokens takes at its worst moment. */
const leastBytes = (plan: MemoryPlan, positions: number): number => {
  const buffers = plan.buffers - plan.bufferToken * (plan.positions - positions);
  return PROCESS_BYTES + Math.max(plan.loading, plan.weights + buffers + plan.token * positions);
};

/** The longest sequence that fits; 0 when none does. */
function longestFitting(plan: MemoryPlan, available: number): number {
  if (leastBytes(plan, 1) > available) return 0;
  const rest = available - leastBytes({ ...plan, loading: 0 }, 0);
  return Math.min(plan.positions, Math.floor(rest / (plan.token + plan.bufferToken)));
}

/**
 * Checks a plan and says how much the KV cache may take.
 *
 * @param smaller plans that take less, by the flag that makes them
 * @throws GatewayError `limit_exceeded` with every part, what there is and what would fit
 */
export function toKvBytes(
  plan: MemoryPlan,
  limits: MemoryLimits,
  smaller: ReadonlyMap<string, MemoryPlan> = new Map(),
  free: number = availableBytes(),
): number {
  const available = Math.min(limits.budgetBytes ?? Number.POSITIVE_INFINITY, free / limits.replicas);
  const { weights, loading, buffers, token, positions } = plan;
  if (leastBytes(plan, positions) <= available) {
    const rest = available - PROCESS_BYTES - weights - buffers;
    // Without a budget of its own the cache leaves half of the machine to others, as ever.
    return Math.floor(limits.budgetBytes === undefined ? Math.min(rest, availableKvBytes()) : rest);
  }
  const fits = [...smaller].filter(([, other]) => leastBytes(other, positions) <= available).map(([flag]) => flag);
  const room = longestFitting(plan, available);
  if (room >= 1) fits.push(`--max-model-len ${room}`);
  const narrow = limits.budgetBytes !== undefined && limits.budgetBytes <= free / limits.replicas;
  const least = leastBytes(plan, positions);
  if (narrow && least <= free / limits.replicas) fits.push(`--memory-budget ${Math.ceil(least / 2 ** 20)}MiB`);
  const there = narrow
    ? `--memory-budget allows ${show(available)}`
    : `${show(free)} are free${limits.replicas > 1 ? ` for ${limits.replicas} replicas` : ""}`;
  throw new GatewayError(
    "limit_exceeded",
    `The model does not fit: weights ${show(weights)} (${show(loading)} while they are loaded), working buffers ` +
      `${show(buffers)}, KV cache ${show(token * positions)} for one sequence of ${positions} tokens, the process itself ` +
      `${show(PROCESS_BYTES)}; ${there}. What would fit: ${fits.length === 0 ? `a smaller model, or more memory (${show(least * limits.replicas)})` : fits.join(", or ")}.`,
    { param: "memory_budget" },
  );
}

/** The forms that may take less, by the flags that ask for them. */
const SMALLER = [
  ["--quantize int8", "int8"],
  ["--quantize int4 --accept-loss", "int4"],
] as const;

/** Plans and checks a model. @throws GatewayError `limit_exceeded`; see `toKvBytes` */
export function checkMemory(
  config: ModelConfig,
  source: Pick<TensorSource, "blockType" | "wasBlocks">,
  options: { readonly quantize: Quantize; readonly positions: number; readonly limits: MemoryLimits },
): number {
  const { quantize, positions, limits } = options;
  const smaller = SMALLER.map(([flag, form]) => [flag, planMemory(config, source, form, positions)] as const);
  return toKvBytes(planMemory(config, source, quantize, positions), limits, new Map(smaller));
}
