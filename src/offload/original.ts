/**
 * `prepare_deepspeed` exactly as TRL 0.15.2 has it, defects included: what it hands to `deepspeed.initialize`. Only the
 * conditions under which Python raises are kept, as errors of ours that name the same key. `corrected.ts` is the mend.
 *
 * Sources: trl 0.15.2 `trl/models/utils.py:218` and `trl/trainer/utils.py:1234`; the flag `offload_to_cpu` is that of
 * SakanaAI/RLT `trainers/utils_trl_15.py`.
 */
import { GatewayError, invalidValue } from "../errors.ts";
import { type DeepspeedConfig, isSection, joinPath } from "./check-config.ts";

/** Arguments of the older function, in `trl/trainer/utils.py`. */
export interface TrainerArguments {
  readonly per_device_train_batch_size: number;
  readonly fp16?: boolean;
  readonly bf16?: boolean;
}

export interface OriginalOptions {
  /** null = unknown. */
  readonly hiddenSize: number | null;
  readonly offloadToCpu?: boolean;
  /** Set: the older function of the same name. It never offloads. */
  readonly trainer?: TrainerArguments;
}

export interface OriginalResult {
  /** What DeepSpeed receives. A fresh object. */
  readonly config: DeepspeedConfig;
  /** The caller's configuration afterwards; the older function changes it in place. */
  readonly pluginConfig: DeepspeedConfig;
}

/** `config[key]` of Python, for a key that the original needs. */
function need(values: unknown, section: string, key: string): unknown {
  const path = joinPath(section, key);
  if (!isSection(values)) throw invalidValue(section, values, `an object with the key ${key} (TRL raises TypeError)`);
  if (Object.hasOwn(values, key)) return values[key];
  throw new GatewayError("missing_field", `${path} is required by TRL 0.15 (KeyError: '${key}'); it is missing.`, {
    param: path,
  });
}

function setDevice(zero: DeepspeedConfig, section: string): void {
  const target = need(zero, "zero_optimization", section);
  if (!isSection(target)) {
    throw invalidValue(`zero_optimization.${section}`, target, "an object (TRL raises TypeError)");
  }
  target.device = "cpu";
}

/** The three keys, flat and dotted: DeepSpeed never reads them. Products in the original's order, in binary64. */
const flatKeys = (hiddenSize: number, prefetch: number): DeepspeedConfig => ({
  "zero_optimization.reduce_bucket_size": hiddenSize * hiddenSize,
  "zero_optimization.stage3_param_persistence_threshold": 10 * hiddenSize,
  "zero_optimization.stage3_prefetch_bucket_size": prefetch,
});

function ofTrainer(
  given: DeepspeedConfig,
  hiddenSize: number | null,
  { per_device_train_batch_size: batch, fp16 = false, bf16 = false }: TrainerArguments,
): OriginalResult {
  const config = structuredClone(given);
  const stage = need(need(config, "", "zero_optimization"), "zero_optimization", "stage");
  if (stage === 3) {
    if (hiddenSize !== null) Object.assign(config, flatKeys(hiddenSize, 0));
    return { config: structuredClone(config), pluginConfig: config };
  }
  config.train_micro_batch_size_per_gpu = batch;
  const fresh: DeepspeedConfig = {
    train_micro_batch_size_per_gpu: batch,
    prescale_gradients: false,
    wall_clock_breakdown: false,
  };
  if (bf16) fresh.bf16 = { enabled: true };
  else if (fp16) fresh.fp16 = { enabled: true };
  return { config: fresh, pluginConfig: config };
}

/**
 * What TRL 0.15.2 hands to DeepSpeed for this configuration. `config` is not changed. Stage is compared as the original
 * compares it: only the number 3 is 3, and everything else, text included, becomes 0.
 *
 * @param config - `accelerator.state.deepspeed_plugin.deepspeed_config`. Its values are not judged.
 * @throws GatewayError `missing_field` where Python raises KeyError, `invalid_value` where it raises TypeError.
 *
 * @example
 * ```ts
 * import { toOriginalConfig } from "./original.ts";
 * const { config } = toOriginalConfig({ zero_optimization: { stage: 3 } }, { hiddenSize: 24 });
 * if (config["zero_optimization.stage3_prefetch_bucket_size"] !== 518.4000000000001) throw new Error("not binary64");
 * ```
 */
export function toOriginalConfig(config: DeepspeedConfig, options: OriginalOptions): OriginalResult {
  const { hiddenSize, offloadToCpu = false, trainer } = options;
  if (trainer !== undefined) return ofTrainer(config, hiddenSize, trainer);
  const out = structuredClone(config);
  const zero = need(out, "", "zero_optimization");
  const stage = need(zero, "zero_optimization", "stage");
  const section = zero as DeepspeedConfig;
  if (hiddenSize !== null && stage === 3) Object.assign(out, flatKeys(hiddenSize, 0.9 * hiddenSize * hiddenSize));
  if (offloadToCpu) {
    setDevice(section, "offload_optimizer");
    setDevice(section, "offload_param");
  }
  if (stage !== 3) section.stage = 0;
  return { config: out, pluginConfig: structuredClone(config) };
}
