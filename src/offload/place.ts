/**
 * Where each group of weights lives under a DeepSpeed configuration: what `offload_param`, the persistence threshold and
 * `max_in_cpu` mean for whole groups. Counts elements or bytes alike; moves nothing.
 */
import { GatewayError } from "../errors.ts";
import { type DeepspeedConfig, isSection } from "./check-config.ts";
import { OFFLOAD_PARAM } from "./deepspeed-fields.ts";

/** As the engine port has it. */
export type PlanTier = "device" | "cpu" | "disk";

/** As many as the worker takes. */
const BUFFER_LIMIT = 64;

/** What of a configuration decides. Sizes in elements, as DeepSpeed counts. */
export interface OffloadPolicy {
  /** Where weights wait that are not in use; `none` = they stay on the device. */
  readonly device: "none" | "cpu" | "nvme";
  readonly pinMemory: boolean;
  /** Groups of at most this many elements stay on the device … */
  readonly persistenceThreshold: number;
  /** … up to this many elements in all. */
  readonly modelPersistenceThreshold: number;
  /** Elements kept in memory when `device` is nvme. */
  readonly maxInCpu: number;
  readonly bufferCount: number;
  /** Elements of one buffer of DeepSpeed; larger tensors it refuses. */
  readonly bufferSize: number;
}

/** `stage3_param_persistence_threshold` where nobody says one (DeepSpeed 0.15.4). */
const PERSISTENCE_THRESHOLD = 1e5;

const numberOr = (value: unknown, byDefault: number): number =>
  typeof value === "number" && value >= 0 ? value : byDefault;

/**
 * Reads the policy as DeepSpeed reads it; a value that it would refuse counts as its default. Below stage 3 nothing is
 * offloaded, unless `offloadToCpu` asks for it: that is a wish about this model, not about DeepSpeed.
 */
export function toOffloadPolicy(config: DeepspeedConfig, offloadToCpu: boolean): OffloadPolicy {
  const zero = isSection(config.zero_optimization) ? config.zero_optimization : {};
  const param = isSection(zero.offload_param) ? zero.offload_param : {};
  const inStage3 = zero.stage === 3;
  const old = zero.cpu_offload_param === true ? "cpu" : "none";
  const given = param.device === "cpu" || param.device === "nvme" ? param.device : old;
  const threshold = zero.stage3_param_persistence_threshold ?? zero.param_persistence_threshold;
  const bound = zero.stage3_model_persistence_threshold ?? zero.model_persistence_threshold;
  return {
    device: offloadToCpu ? "cpu" : inStage3 ? given : "none",
    pinMemory: param.pin_memory === true,
    persistenceThreshold: inStage3 ? numberOr(threshold, PERSISTENCE_THRESHOLD) : 0,
    modelPersistenceThreshold: numberOr(bound, Number.MAX_SAFE_INTEGER),
    maxInCpu: numberOr(param.max_in_cpu, OFFLOAD_PARAM.max_in_cpu.byDefault as number),
    bufferCount: Math.max(1, numberOr(param.buffer_count, OFFLOAD_PARAM.buffer_count.byDefault as number)),
    bufferSize: numberOr(param.buffer_size, OFFLOAD_PARAM.buffer_size.byDefault as number),
  };
}

/** A group with its size in elements. */
export interface Sized {
  readonly name: string;
  readonly elements: number;
  /** Of its largest tensor: what is under way at a time while the group is on disk. */
  readonly largest: number;
}

export interface Placement {
  readonly tiers: ReadonlyMap<string, PlanTier>;
  /** Tensors that are under way from disk at a time; 0 when nothing is streamed. */
  readonly buffers: number;
}

/** Names of the groups that stay on the device whatever is offloaded. */
export function persistentGroups(
  groups: readonly { readonly name: string; readonly elements: number }[],
  policy: OffloadPolicy,
): Set<string> {
  const out = new Set<string>();
  let sum = 0;
  for (const { name, elements } of groups) {
    if (elements > policy.persistenceThreshold || sum + elements > policy.modelPersistenceThreshold) continue;
    out.add(name);
    sum += elements;
  }
  return out;
}

function cannotFit(policy: OffloadPolicy, kept: number, piece: Sized, bytesPerElement: number): GatewayError {
  const missing = kept + piece.largest - policy.maxInCpu;
  const bytes = Math.ceil(missing * bytesPerElement);
  const param = "zero_optimization.offload_param.max_in_cpu";
  const beside = kept === 0 ? "" : ` beside ${kept} that stay in memory`;
  return new GatewayError(
    "limit_exceeded",
    `${param} is ${policy.maxInCpu} elements; a step needs the largest tensor of ${piece.name}, ${piece.largest}${beside}: ${bytes} bytes are missing. Raise max_in_cpu to ${kept + piece.largest} at least.`,
    { param, missingBytes: bytes },
  );
}

/**
 * Places groups, which come in the order of use. With nvme, those stay in memory that fit into `maxInCpu` beside the
 * buffers that the others are streamed through; there are fewer buffers than asked for where they would not fit. The
 * worker places by the same rule when the plan is applied.
 *
 * @param bytesPerElement - For the message of a budget that is too small.
 * @throws GatewayError `limit_exceeded` with the missing bytes when not one tensor fits.
 */
export function placeGroups(groups: readonly Sized[], policy: OffloadPolicy, bytesPerElement: number): Placement {
  const tiers = new Map<string, PlanTier>();
  if (policy.device === "none") {
    for (const { name } of groups) tiers.set(name, "device");
    return { tiers, buffers: 0 };
  }
  const persistent = persistentGroups(groups, policy);
  for (const { name } of groups) tiers.set(name, persistent.has(name) ? "device" : "cpu");
  const total = groups.reduce((sum, { elements }) => sum + elements, 0);
  if (policy.device === "cpu" || total <= policy.maxInCpu) return { tiers, buffers: 0 };

  const streamed = groups.filter(({ name }) => !persistent.has(name));
  let kept = total - streamed.reduce((sum, { elements }) => sum + elements, 0);
  const first = streamed[0];
  // Persistent groups alone may be over the budget: then nothing else waits on disk, and they are still too many.
  const widest = streamed.reduce((most, one) => (one.largest > most.largest ? one : most), first ?? groups[0]!);
  if (kept + widest.largest > policy.maxInCpu) throw cannotFit(policy, kept, widest, bytesPerElement);
  let buffers = Math.min(policy.bufferCount, BUFFER_LIMIT);
  while (buffers > 1 && kept + buffers * widest.largest > policy.maxInCpu) buffers -= 1;
  for (const group of [...streamed]) {
    const piece = Math.max(...streamed.map(({ largest }) => largest));
    if (kept + group.elements + buffers * piece > policy.maxInCpu) continue;
    kept += group.elements;
    streamed.splice(streamed.indexOf(group), 1);
  }
  for (const { name } of streamed) tiers.set(name, "disk");
  return { tiers, buffers: streamed.length === 0 ? 0 : buffers };
}
