/**
 * What of accelerate's `Accelerator` matters here, as a small description, and how it is made from what people have: a
 * DeepSpeed configuration, the arguments of `DeepSpeedPlugin`, or the file of `accelerate launch`. Reads no file.
 *
 * Sources: accelerate 1.4.0 `utils/dataclasses.py` (`DeepSpeedPlugin`), `utils/launch.py`, `commands/config/config_args.py`.
 */
import { GatewayError, invalidValue } from "../errors.ts";
import { AUTO, type DeepspeedConfig, isSection } from "./check-config.ts";

/** Number formats that accelerate knows. */
export const MIXED_PRECISIONS = ["no", "fp16", "bf16", "fp8"] as const;
export type MixedPrecision = (typeof MIXED_PRECISIONS)[number];

/** `accelerator.state.deepspeed_plugin`. */
export interface DeepspeedPlugin {
  readonly deepspeedConfig: DeepspeedConfig;
}

/** One process of a run. */
export interface Accelerator {
  /** Where this process computes, such as "cpu" or "cuda:0". */
  readonly device: string;
  /** 0 to `numProcesses` - 1. */
  readonly processIndex: number;
  /** Default 1. */
  readonly numProcesses?: number;
  readonly mixedPrecision: MixedPrecision;
  /** null or left out: the run does not use DeepSpeed. */
  readonly deepspeedPlugin?: DeepspeedPlugin | null;
}

/** Arguments of accelerate's `DeepSpeedPlugin`, as Python and the launch file spell them. */
export interface DeepspeedPluginArguments {
  /** A whole configuration: then the others only fill in its "auto" values. */
  readonly hf_ds_config?: DeepspeedConfig;
  readonly gradient_accumulation_steps?: number | "auto";
  readonly gradient_clipping?: number | "auto";
  readonly zero_stage?: number;
  readonly offload_optimizer_device?: string;
  readonly offload_param_device?: string;
  readonly offload_optimizer_nvme_path?: string;
  readonly offload_param_nvme_path?: string;
  readonly zero3_save_16bit_model?: boolean;
}

/** JSON has no infinity; DeepSpeed never prints with it. */
const NEVER = "Infinity";

type Defaults = Required<Omit<DeepspeedPluginArguments, "hf_ds_config">>;

/** accelerate's own when neither argument nor environment says one. */
const DEFAULTS: Defaults = {
  gradient_accumulation_steps: AUTO,
  gradient_clipping: AUTO,
  zero_stage: 2,
  offload_optimizer_device: "none",
  offload_param_device: "none",
  offload_optimizer_nvme_path: "none",
  offload_param_nvme_path: "none",
  zero3_save_16bit_model: false,
};

/** Argument → place in the configuration. */
const PLACES: readonly (readonly [keyof Defaults, readonly string[]])[] = [
  ["gradient_accumulation_steps", ["gradient_accumulation_steps"]],
  ["gradient_clipping", ["gradient_clipping"]],
  ["zero_stage", ["zero_optimization", "stage"]],
  ["offload_optimizer_device", ["zero_optimization", "offload_optimizer", "device"]],
  ["offload_param_device", ["zero_optimization", "offload_param", "device"]],
  ["offload_param_nvme_path", ["zero_optimization", "offload_param", "nvme_path"]],
  ["offload_optimizer_nvme_path", ["zero_optimization", "offload_optimizer", "nvme_path"]],
  ["zero3_save_16bit_model", ["zero_optimization", "stage3_gather_16bit_weights_on_model_save"]],
];

function fillGiven(given: DeepspeedConfig, values: Defaults): DeepspeedConfig {
  const config = structuredClone(given);
  config.gradient_accumulation_steps ??= 1;
  if (!Object.hasOwn(config, "zero_optimization")) {
    throw new GatewayError("missing_field", "zero_optimization is required in a DeepSpeed configuration.", {
      param: "zero_optimization",
    });
  }
  for (const [argument, path] of PLACES) {
    const key = path.at(-1)!;
    let section: unknown = config;
    for (const name of path.slice(0, -1)) section = isSection(section) ? section[name] : undefined;
    if (isSection(section) && section[key] === AUTO) section[key] = values[argument];
  }
  config.steps_per_print = NEVER;
  return config;
}

/**
 * The configuration that accelerate's `DeepSpeedPlugin` makes of its arguments: what `prepare_deepspeed` starts from.
 * Python's infinity of `steps_per_print` is the text "Infinity".
 *
 * @throws GatewayError `missing_field` for a configuration without `zero_optimization`, as accelerate raises ValueError.
 *
 * @example
 * ```ts
 * import { toPluginConfig } from "./accelerator.ts";
 * const config = toPluginConfig({ zero_stage: 3, offload_param_device: "cpu" });
 * const zero = config.zero_optimization as { stage: number };
 * if (zero.stage !== 3) throw new Error("stage lost");
 * ```
 */
export function toPluginConfig(given: DeepspeedPluginArguments): DeepspeedConfig {
  const { hf_ds_config: whole, ...rest } = given;
  const values: Defaults = { ...DEFAULTS, ...rest };
  if (whole !== undefined) return fillGiven(whole, values);
  const section = (device: string, path: string): DeepspeedConfig => ({
    device,
    nvme_path: device === "nvme" ? path : null,
  });
  const config: DeepspeedConfig = {
    train_batch_size: AUTO,
    train_micro_batch_size_per_gpu: AUTO,
    gradient_accumulation_steps: values.gradient_accumulation_steps,
    zero_optimization: {
      stage: values.zero_stage,
      offload_optimizer: section(values.offload_optimizer_device, values.offload_optimizer_nvme_path),
      offload_param: section(values.offload_param_device, values.offload_param_nvme_path),
      stage3_gather_16bit_weights_on_model_save: values.zero3_save_16bit_model,
    },
  };
  if (values.gradient_clipping !== 0) config.gradient_clipping = values.gradient_clipping;
  config.steps_per_print = NEVER;
  return config;
}

/** As `DeepSpeedPlugin.set_mixed_precision`: sections for both formats, what is "auto" filled in. Returns a copy. */
export function withMixedPrecision(given: DeepspeedConfig, mixedPrecision: MixedPrecision): DeepspeedConfig {
  const config = structuredClone(given);
  const on = { fp16: mixedPrecision === "fp16", bf16: mixedPrecision === "bf16" || mixedPrecision === "fp8" };
  if (on.fp16) config.fp16 ??= { enabled: true, auto_cast: true };
  if (on.bf16) config.bf16 ??= { enabled: true };
  const other = mixedPrecision === "fp16" ? "bf16" : "fp16";
  const clash = config[other];
  if (mixedPrecision !== "no" && isSection(clash) && clash.enabled === true) {
    throw invalidValue(`${other}.enabled`, true, `false when the mixed precision is ${mixedPrecision}`);
  }
  for (const name of ["fp16", "bf16"] as const) {
    config[name] ??= { enabled: false };
    const section = config[name];
    if (isSection(section) && section.enabled === AUTO) section.enabled = on[name];
  }
  return config;
}

/**
 * An accelerator from its parts; what is left out is one process on the cpu without DeepSpeed.
 *
 * @param parts - `deepspeedConfig`: a DeepSpeed configuration, taken as it is.
 *
 * @example
 * ```ts
 * import { createAccelerator } from "./accelerator.ts";
 * const accelerator = createAccelerator({ deepspeedConfig: { zero_optimization: { stage: 3 } } });
 * if (accelerator.processIndex !== 0 || accelerator.deepspeedPlugin === null) throw new Error("defaults changed");
 * ```
 */
export function createAccelerator(
  parts: Partial<Omit<Accelerator, "deepspeedPlugin">> & { readonly deepspeedConfig?: DeepspeedConfig } = {},
): Accelerator {
  const { deepspeedConfig, ...rest } = parts;
  return {
    device: "cpu",
    processIndex: 0,
    numProcesses: 1,
    mixedPrecision: "no",
    ...rest,
    deepspeedPlugin: deepspeedConfig === undefined ? null : { deepspeedConfig },
  };
}
