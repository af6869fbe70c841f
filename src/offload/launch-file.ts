/**
 * Launch files as people have them: DeepSpeed's JSON, or accelerate's YAML (or JSON) with the DeepSpeed plugin inside or
 * the path of a DeepSpeed file. From text and values to one `Accelerator`; reading files is the caller's part.
 */
import { parse as parseYaml } from "yaml";
import { GatewayError, invalidValue, showValue } from "../errors.ts";
import {
  type Accelerator,
  createAccelerator,
  type DeepspeedPluginArguments,
  MIXED_PRECISIONS,
  type MixedPrecision,
  toPluginConfig,
  withMixedPrecision,
} from "./accelerator.ts";
import { AUTO, type DeepspeedConfig, isSection } from "./check-config.ts";

/** Such files have a few KiB. */
export const LAUNCH_FILE_LIMIT = 2 ** 20;

/** The value of a launch file. JSON is tried first, since YAML reads `5e8` of JSON as a number only with luck. */
export function parseLaunchText(text: string, path: string): DeepspeedConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (jsonError) {
    try {
      // Aliases multiply; a launch file has none worth a hundred.
      value = parseYaml(text, { maxAliasCount: 100 });
    } catch (cause) {
      const reason = (path.endsWith(".json") ? jsonError : cause) as Error;
      const line = reason.message.split("\n")[0];
      throw new GatewayError("source_unreadable", `${path} is neither JSON nor YAML: ${line}`, { cause: reason });
    }
  }
  if (isSection(value)) return value;
  throw new GatewayError("source_unreadable", `${path} must hold an object, got ${showValue(value)}.`);
}

/** True for what `accelerate config` writes; everything else is taken for a DeepSpeed configuration. */
export const isAccelerateFile = (value: DeepspeedConfig): boolean =>
  Object.hasOwn(value, "distributed_type") || Object.hasOwn(value, "compute_environment");

/** Path of the DeepSpeed file that an accelerate file points to; undefined when it holds the plugin itself. */
export function deepspeedFileOf(value: DeepspeedConfig): string | undefined {
  const plugin = isAccelerateFile(value) && isSection(value.deepspeed_config) ? value.deepspeed_config : {};
  const path = plugin.deepspeed_config_file;
  if (path === undefined || path === null || path === "none") return undefined;
  if (typeof path === "string") return path;
  throw invalidValue("deepspeed_config.deepspeed_config_file", path, "a string");
}

const at = (name: string): string => `deepspeed_config.${name}`;

function toNumber(name: string, value: unknown): number | "auto" | undefined {
  if (value === undefined || value === null) return undefined;
  if (String(value).toLowerCase() === AUTO) return AUTO;
  const number = typeof value === "number" ? value : Number(String(value).trim() || "-");
  if (Number.isFinite(number) && number >= 0) return number;
  throw invalidValue(at(name), value, 'a number of at least 0, or "auto"');
}

function toText(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw invalidValue(at(name), value, "a string");
}

const DEVICES: readonly string[] = ["none", "cpu", "nvme"];

function toDevice(name: string, value: unknown): string | undefined {
  const device = toText(name, value)?.toLowerCase();
  if (device === undefined || DEVICES.includes(device)) return device;
  throw invalidValue(at(name), value, '"none", "cpu" or "nvme"');
}

/** accelerate hands these on as text and compares with "true". */
function toFlag(name: string, value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  const text = String(value).toLowerCase();
  if (text === "true" || text === "false") return text === "true";
  throw invalidValue(at(name), value, "true or false");
}

function toStage(value: unknown): number | undefined {
  const stage = toNumber("zero_stage", value);
  if (stage === undefined || (typeof stage === "number" && stage <= 3 && Number.isInteger(stage))) return stage;
  throw invalidValue(at("zero_stage"), value, "0, 1, 2 or 3");
}

/** Leaves out what is undefined: absent and undefined are not the same to `exactOptionalPropertyTypes`. */
const given = <T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;

function toArguments(plugin: DeepspeedConfig): DeepspeedPluginArguments {
  return given({
    gradient_accumulation_steps: toNumber("gradient_accumulation_steps", plugin.gradient_accumulation_steps),
    gradient_clipping: toNumber("gradient_clipping", plugin.gradient_clipping),
    zero_stage: toStage(plugin.zero_stage),
    offload_optimizer_device: toDevice("offload_optimizer_device", plugin.offload_optimizer_device),
    offload_param_device: toDevice("offload_param_device", plugin.offload_param_device),
    offload_optimizer_nvme_path: toText("offload_optimizer_nvme_path", plugin.offload_optimizer_nvme_path),
    offload_param_nvme_path: toText("offload_param_nvme_path", plugin.offload_param_nvme_path),
    zero3_save_16bit_model: toFlag("zero3_save_16bit_model", plugin.zero3_save_16bit_model),
  });
}

/** What accelerate refuses beside a `deepspeed_config_file` (`DeepSpeedPlugin._deepspeed_config_checks`). */
const NOT_BESIDE_A_FILE: readonly string[] = [
  "gradient_accumulation_steps",
  "gradient_clipping",
  "zero_stage",
  "offload_optimizer_device",
  "offload_param_device",
  "offload_param_nvme_path",
  "offload_optimizer_nvme_path",
  "zero3_save_16bit_model",
];

function toPrecision(value: unknown): MixedPrecision {
  const word = String(value ?? "no").toLowerCase();
  const known = MIXED_PRECISIONS.find((one) => one === word);
  if (known !== undefined) return known;
  throw invalidValue("mixed_precision", value, `one of ${MIXED_PRECISIONS.join(", ")}`);
}

function toCount(name: string, value: unknown, byDefault: number, least: number): number {
  if (value === undefined || value === null || value === -1) return byDefault;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= 2 ** 20) return value;
  throw invalidValue(name, value, `an integer of at least ${least}`);
}

/**
 * The accelerator that a launch file describes: DeepSpeed's own file, or accelerate's.
 *
 * @param value - From `parseLaunchText`.
 * @param deepspeedFile - The contents of the file that `deepspeedFileOf` names.
 * @throws GatewayError `invalid_value`, `missing_field` naming the field; `unsupported` for a run without DeepSpeed.
 *
 * @example
 * ```ts
 * import { parseLaunchText, toAccelerator } from "./launch-file.ts";
 * const yaml = "distributed_type: DEEPSPEED\nmixed_precision: bf16\ndeepspeed_config:\n  zero_stage: 3\n";
 * const { deepspeedPlugin } = toAccelerator(parseLaunchText(yaml, "zero3.yaml"));
 * const config = deepspeedPlugin?.deepspeedConfig as { bf16: { enabled: boolean } };
 * if (!config.bf16.enabled) throw new Error("mixed precision lost");
 * ```
 */
export function toAccelerator(value: DeepspeedConfig, deepspeedFile?: DeepspeedConfig): Accelerator {
  if (!isAccelerateFile(value)) return createAccelerator({ deepspeedConfig: value });
  const kind = value.distributed_type;
  if (kind !== "DEEPSPEED") {
    throw new GatewayError(
      "unsupported",
      `distributed_type is ${showValue(kind)}; only DEEPSPEED has a plan to make.`,
      {
        param: "distributed_type",
      },
    );
  }
  const plugin = value.deepspeed_config ?? {};
  if (!isSection(plugin)) throw invalidValue("deepspeed_config", plugin, "an object");
  const mixedPrecision = toPrecision(value.mixed_precision);
  const path = deepspeedFileOf(value);
  if (path !== undefined) {
    if (deepspeedFile === undefined) {
      throw new GatewayError(
        "unsupported",
        `${at("deepspeed_config_file")} is a path (${showValue(path)}); give the contents of that file instead.`,
        { param: at("deepspeed_config_file") },
      );
    }
    const beside = NOT_BESIDE_A_FILE.find((name) => Object.hasOwn(plugin, name));
    if (beside !== undefined) {
      throw invalidValue(at(beside), plugin[beside], "left out beside deepspeed_config_file, as accelerate wants it");
    }
  }
  const whole = path === undefined ? undefined : deepspeedFile;
  const config = toPluginConfig({ ...toArguments(plugin), ...(whole === undefined ? {} : { hf_ds_config: whole }) });
  return createAccelerator({
    numProcesses: toCount("num_processes", value.num_processes, 1, 1),
    mixedPrecision,
    device: value.use_cpu === true ? "cpu" : "cuda",
    deepspeedConfig: withMixedPrecision(config, mixedPrecision),
  });
}
