/**
 * `prepareDeepspeed`: TRL's function of that name over a model directory or over a served model. For a directory it is
 * a plan; for a served model the gateway's worker moves its weights accordingly.
 */
import type { PretrainedModel } from "../checkpoint/pretrained.ts";
import type { OffloadPlan } from "../contract/control/offload-plans.ts";
import type { ModelResidency } from "../contract/control/residency.ts";
import { GatewayError } from "../errors.ts";
import type { Accelerator } from "../offload/accelerator.ts";
import type { DeepspeedConfig } from "../offload/check-config.ts";
import type { ModelShape } from "../offload/hidden-size.ts";
import { createOffloadPlan, planOffload } from "../offload/plan.ts";
import { connectionOf } from "./connection-of.ts";
import { sendJson } from "./http.ts";
import { isServedModel, type ServedModel } from "./served-model.ts";

/** Anything with a configuration; what else it has is its own matter. */
export interface ConfiguredModel {
  readonly config: ModelShape;
}

/** What `prepareDeepspeed` takes: a model directory, a served model, a configuration alone, or nothing (Python's None). */
export type OffloadableModel = PretrainedModel | ServedModel | ConfiguredModel | null;

export interface PrepareOptions {
  /** Weights wait on the cpu, whatever the configuration says. Default false. */
  readonly offloadToCpu?: boolean;
  /** `trl-0.15`: `config` is exactly what TRL 0.15 hands to DeepSpeed. Default: without its known defects. */
  readonly compat?: "trl-0.15";
  readonly signal?: AbortSignal;
}

/** A model with the plan that holds for it. Always in eval mode: it only generates. */
export interface OffloadedModel<M extends OffloadableModel = OffloadableModel> {
  readonly kind: "offloaded";
  readonly model: M;
  /** What DeepSpeed would be handed. */
  readonly config: DeepspeedConfig;
  readonly plan: OffloadPlan;
  /** Of each replica after the move; null for a model that is not served. */
  readonly residency: ModelResidency | null;
  readonly training: false;
  /** Does nothing: it is so already. As in torch, gives the model back. */
  eval(): OffloadedModel<M>;
}

/** True for what `prepareDeepspeed` gives. */
export const isOffloadedModel = (value: unknown): value is OffloadedModel =>
  typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "offloaded";

/** Moving a large model between disk and memory takes minutes. */
const MOVE_SECONDS = 1200;

function isPretrained(model: OffloadableModel): model is PretrainedModel {
  return model !== null && "directory" in model && "files" in model;
}

async function applyToServed(
  model: ServedModel,
  request: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<ModelResidency & { readonly plan: OffloadPlan }> {
  const { json } = await sendJson(connectionOf(model.client), `/api/models/${encodeURIComponent(model.id)}/residency`, {
    method: "PUT",
    json: request,
    seconds: MOVE_SECONDS,
    signal,
  });
  return json as ModelResidency & { readonly plan: OffloadPlan };
}

/**
 * Prepares a model that only generates as the DeepSpeed configuration of `accelerator` says: a stage other than 3
 * becomes 0, the hidden-size dependent keys are set, weights go to the cpu on demand. The caller's configuration is never
 * changed. A served model's weights are moved by the gateway before this resolves, on all its replicas or on none.
 *
 * Source: trl 0.15.2 `trl/models/utils.py:218`; `offloadToCpu` is that of SakanaAI/RLT `trainers/utils_trl_15.py`.
 *
 * @throws GatewayError `missing_field` (an accelerator without DeepSpeed, a key that the original needs), `invalid_value`
 * by path, `limit_exceeded` for a budget that holds no group; ServerError and ConnectionError for a served model.
 *
 * @example
 * ```ts
 * import { createAccelerator } from "../offload/accelerator.ts";
 * import { prepareDeepspeed } from "./prepare-deepspeed.ts";
 * const accelerator = createAccelerator({ deepspeedConfig: { zero_optimization: { stage: 2 } } });
 * const model = await prepareDeepspeed({ config: { hidden_size: 64 } }, accelerator, { offloadToCpu: true });
 * const { stage } = model.config.zero_optimization as { stage: number };
 * if (stage !== 0 || model.training) throw new Error("not prepared");
 * ```
 */
export async function prepareDeepspeed<M extends OffloadableModel>(
  model: M,
  accelerator: Accelerator,
  options: PrepareOptions = {},
): Promise<OffloadedModel<M>> {
  const { deepspeedPlugin = null, mixedPrecision, numProcesses = 1 } = accelerator;
  if (deepspeedPlugin === null) {
    throw new GatewayError(
      "missing_field",
      "accelerator.deepspeedPlugin is missing; this run does not use DeepSpeed.",
      {
        param: "accelerator.deepspeedPlugin",
      },
    );
  }
  options.signal?.throwIfAborted();
  const request = {
    deepspeed_config: deepspeedPlugin.deepspeedConfig,
    offload_to_cpu: options.offloadToCpu ?? false,
    compat: options.compat ?? null,
    // "no" is also what an accelerator says that knows nothing; then the model's own format counts.
    ...(numProcesses === 1 ? {} : { num_processes: numProcesses }),
    ...(mixedPrecision === "no" ? {} : { mixed_precision: mixedPrecision }),
  };
  let plan: OffloadPlan;
  let residency: ModelResidency | null = null;
  if (isServedModel(model)) {
    const applied = await applyToServed(model, request, options.signal);
    ({ plan } = applied);
    residency = applied;
  } else if (isPretrained(model)) {
    ({ plan } = await createOffloadPlan(model.files, { ...request, model: model.directory }));
  } else {
    const config = (model as ConfiguredModel | null)?.config;
    if (model !== null && (typeof config !== "object" || config === null)) {
      throw new GatewayError("missing_field", "model.config is required: the model has none (AttributeError in TRL).", {
        param: "model.config",
      });
    }
    ({ plan } = planOffload({ ...request, shape: config ?? null, checkpoint: null }));
  }
  const prepared: OffloadedModel<M> = {
    kind: "offloaded",
    model,
    config: plan.config,
    plan,
    residency,
    training: false,
    eval: () => prepared,
  };
  return prepared;
}
