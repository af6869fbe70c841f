/**
 * From a request to an offload plan: both resolutions of the configuration, and the model's groups in their tiers. Reads
 * the headers of a model directory at most; nothing is loaded or moved.
 */
import type { OffloadOutcome, OffloadPlan, OffloadPlanRequest } from "../contract/control/offload-plans.ts";
import { GatewayError, invalidValue, toGatewayError } from "../errors.ts";
import type { Files } from "../ports.ts";
import type { MixedPrecision } from "./accelerator.ts";
import { type DeepspeedConfig, isSection } from "./check-config.ts";
import { toCorrectedConfig } from "./corrected.ts";
import { type CheckpointGroups, readCheckpointGroups, type WeightGroup } from "./groups.ts";
import { chooseHiddenSize, type ModelShape } from "./hidden-size.ts";
import { isAccelerateFile, toAccelerator } from "./launch-file.ts";
import { toOriginalConfig } from "./original.ts";
import { type OffloadPolicy, persistentGroups, placeGroups, toOffloadPolicy } from "./place.ts";

/** A request whose model is at hand: opened, a shape, or nothing. */
export interface PlanInput extends Omit<OffloadPlanRequest, "model"> {
  readonly shape: ModelShape | null;
  readonly checkpoint: Pick<CheckpointGroups, "groups" | "directory"> | null;
}

/** A plan with what decided it, for whoever applies it. */
export interface ResolvedPlan {
  readonly plan: OffloadPlan;
  readonly policy: OffloadPolicy;
}

/** The part of a multimodal configuration that is about text has the width. */
const shapeOf = (config: Readonly<Record<string, unknown>>): ModelShape =>
  (isSection(config.text_config) && config.hidden_size === undefined ? config.text_config : config) as ModelShape;

/** torch's name of the number format that a checkpoint was saved in; transformers 5 writes `dtype`. */
function precisionOf(config: Readonly<Record<string, unknown>>): MixedPrecision {
  const dtype = config.dtype ?? config.torch_dtype;
  return dtype === "bfloat16" ? "bf16" : dtype === "float16" ? "fp16" : "no";
}

function attempt<T extends { readonly config: DeepspeedConfig }>(run: () => T): { outcome: OffloadOutcome; value?: T } {
  try {
    const value = run();
    return { outcome: { config: value.config }, value };
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.code === "internal") throw thrown;
    const { param } = error.details;
    const shown = { code: error.code, message: error.message, ...(param === undefined ? {} : { param }) };
    return { outcome: { error: shown } };
  }
}

/** What the exact original does differently, for those who asked for it. */
const notesOfOriginal = (
  hasTrainer: boolean,
  corrected: { readonly notes: readonly string[] } | undefined,
): string[] => [
  `This is what TRL 0.15 hands to DeepSpeed${hasTrainer ? " (trl/trainer/utils.py)" : ""}. Without compat there would be:`,
  ...(corrected?.notes ?? ["an error; see corrected."]),
];

/**
 * Makes a plan.
 *
 * @throws GatewayError `invalid_value`, `missing_field` naming the path, `limit_exceeded` for a budget that holds no group.
 *
 * @example
 * ```ts
 * import { planOffload } from "./plan.ts";
 * const deepspeed_config = { zero_optimization: { stage: 3, offload_param: { device: "cpu" } } };
 * const checkpoint = { directory: "/m", groups: [{ name: "layers.0", bytes: 400_000, elements: 200_000, largest: 9 }] };
 * const { plan } = planOffload({
 *   deepspeed_config, checkpoint, shape: { hidden_size: 64 }, offload_to_cpu: false, compat: null,
 * });
 * if (plan.bytes.cpu !== 400_000) throw new Error("the layer is not on the cpu");
 * ```
 */
export function planOffload(input: PlanInput): ResolvedPlan {
  const { compat, offload_to_cpu: offloadToCpu, shape, checkpoint, trainer } = input;
  if (trainer !== undefined && compat === null) {
    throw invalidValue("trainer", trainer, 'left out unless compat is "trl-0.15"');
  }
  const launched = isAccelerateFile(input.deepspeed_config) ? toAccelerator(input.deepspeed_config) : null;
  const given = launched?.deepspeedPlugin?.deepspeedConfig ?? input.deepspeed_config;
  const mixedPrecision = input.mixed_precision ?? launched?.mixedPrecision;
  const numProcesses = input.num_processes ?? launched?.numProcesses ?? 1;
  const hiddenSize = chooseHiddenSize(shape);

  const original = attempt(() =>
    toOriginalConfig(given, { hiddenSize, offloadToCpu, ...(trainer === undefined ? {} : { trainer }) }),
  );
  const corrected = attempt(() =>
    toCorrectedConfig(given, {
      hiddenSize,
      offloadToCpu,
      numProcesses,
      ...(mixedPrecision === undefined ? {} : { mixedPrecision }),
    }),
  );
  const chosen = compat === null ? corrected : original;
  if (chosen.value === undefined) {
    // The failure itself, as the one who asked for this result should see it.
    const { error } = chosen.outcome as Extract<OffloadOutcome, { error: unknown }>;
    const { param } = error;
    throw new GatewayError(error.code as GatewayError["code"], error.message, param === undefined ? {} : { param });
  }
  const { config } = chosen.value;
  const policy = toOffloadPolicy(config, offloadToCpu);
  const groups = checkpoint?.groups ?? [];
  const { tiers, buffers } = placeGroups(groups, policy, bytesPerElement(groups));
  const placed = groups.map(({ name, bytes, elements }) => ({ name, tier: tiers.get(name)!, bytes, elements }));
  const sum = (tier: string): number => placed.reduce((all, one) => (one.tier === tier ? all + one.bytes : all), 0);
  const ownNotes =
    compat === null ? (corrected.value?.notes ?? []) : notesOfOriginal(trainer !== undefined, corrected.value);
  const plan: OffloadPlan = {
    compat,
    config,
    notes: [...ownNotes, ...placementNotes(groups, policy, buffers, offloadToCpu, config)],
    unknown_keys: [...(corrected.value?.unknownKeys ?? [])],
    original: original.outcome,
    corrected: corrected.outcome,
    ...(trainer === undefined || original.value === undefined ? {} : { plugin_config: original.value.pluginConfig }),
    model: checkpoint?.directory ?? null,
    hidden_size: hiddenSize,
    groups: placed,
    bytes: { device: sum("device"), cpu: sum("cpu"), disk: sum("disk") },
    residency: {
      device: policy.device,
      max_in_cpu: policy.device === "nvme" ? policy.maxInCpu : null,
      buffer_count: buffers,
      pin_memory: policy.device !== "none" && policy.pinMemory,
    },
  };
  return { plan, policy };
}

function bytesPerElement(groups: readonly WeightGroup[]): number {
  const elements = groups.reduce((all, one) => all + one.elements, 0);
  return elements === 0 ? 1 : groups.reduce((all, one) => all + one.bytes, 0) / elements;
}

/** What the placement does otherwise than DeepSpeed, or than one might think. */
function placementNotes(
  groups: readonly WeightGroup[],
  policy: OffloadPolicy,
  buffers: number,
  offloadToCpu: boolean,
  config: DeepspeedConfig,
): string[] {
  const notes: string[] = [];
  const stage = isSection(config.zero_optimization) ? config.zero_optimization.stage : 0;
  if (offloadToCpu && stage !== 3) {
    notes.push("offload_to_cpu: DeepSpeed offloads no parameters below stage 3; the model here does wait on the cpu.");
  }
  if (buffers > 0 && buffers < policy.bufferCount) {
    notes.push(
      `zero_optimization.offload_param.buffer_count: ${buffers} instead of ${policy.bufferCount}: max_in_cpu includes them here.`,
    );
  }
  const persistent = policy.device === "none" ? new Set<string>() : persistentGroups(groups, policy);
  if (persistent.size > 0) {
    notes.push(
      `zero_optimization.stage3_param_persistence_threshold: ${[...persistent].join(", ")} stay on the device, of at most ${policy.persistenceThreshold} elements each.`,
    );
  }
  const wide = groups.find(({ largest }) => policy.device === "nvme" && largest > policy.bufferSize);
  if (wide !== undefined) {
    notes.push(
      `zero_optimization.offload_param.buffer_size: ${policy.bufferSize} elements; ${wide.name} has a tensor of ${wide.largest}, which DeepSpeed would refuse. Buffers here are as large as the tensor.`,
    );
  }
  return notes;
}

/**
 * Makes the plan of a request: opens its model where it is a directory.
 *
 * @throws GatewayError as `planOffload`; `source_unreadable`, `weights_*` for the directory; `unsupported` without files.
 */
export async function createOffloadPlan(files: Files | undefined, request: OffloadPlanRequest): Promise<ResolvedPlan> {
  const { model, ...rest } = request;
  if (typeof model !== "string") return planOffload({ ...rest, shape: model as ModelShape | null, checkpoint: null });
  if (files === undefined) {
    throw new GatewayError("unsupported", "This gateway has no files; give the model's hidden_size instead.", {
      param: "model",
    });
  }
  const checkpoint = await readCheckpointGroups(files, model);
  return planOffload({
    ...rest,
    mixed_precision:
      rest.mixed_precision ?? launchPrecision(request.deepspeed_config) ?? precisionOf(checkpoint.config),
    shape: shapeOf(checkpoint.config),
    checkpoint,
  });
}

/** What a launch file says; a DeepSpeed file says nothing. */
const launchPrecision = (value: DeepspeedConfig): MixedPrecision | undefined =>
  isAccelerateFile(value) ? toAccelerator(value).mixedPrecision : undefined;
