/** Opens launch files from disk: an accelerator, or the plan that one means for a model. Nothing is loaded or moved. */
import { readOptional, unreadable } from "../checkpoint/read-files.ts";
import type { Files } from "../ports.ts";
import type { Accelerator } from "./accelerator.ts";
import { deepspeedFileOf, isAccelerateFile, LAUNCH_FILE_LIMIT, parseLaunchText, toAccelerator } from "./launch-file.ts";
import { createOffloadPlan, type ResolvedPlan } from "./plan.ts";

/** What a launch file says; `saysPrecision`: it names a precision of its own. */
export interface OpenedLaunchFile {
  readonly accelerator: Accelerator;
  readonly saysPrecision: boolean;
}

/**
 * Opens DeepSpeed's own JSON, or what `accelerate config` writes. A DeepSpeed file that the latter names is looked for from the
 * working directory, as accelerate does, and then beside it.
 *
 * @throws GatewayError `source_unreadable` naming the path, `invalid_value` naming the field, `unsupported` for a run without DeepSpeed.
 */
export async function openLaunchFile(files: Files, path: string): Promise<OpenedLaunchFile> {
  const read = async (file: string) => {
    const text = await readOptional(files, file, LAUNCH_FILE_LIMIT);
    if (text === undefined)
      throw unreadable(`${file} does not exist; give DeepSpeed's JSON or accelerate's YAML file.`);
    return parseLaunchText(text, file);
  };
  const root = files.resolve(path);
  const value = await read(root);
  const named = deepspeedFileOf(value);
  if (named === undefined) return { accelerator: toAccelerator(value), saysPrecision: isAccelerateFile(value) };
  const here = files.resolve(named);
  const inner = (await files.stat(here)) === undefined ? files.resolve(root, "..", named) : here;
  return { accelerator: toAccelerator(value, await read(inner)), saysPrecision: true };
}

/** What to plan for. */
export interface LaunchPlanOptions {
  /** A Hugging Face model directory. */
  readonly model: string;
  /** Default false. */
  readonly offloadToCpu?: boolean;
  /** Default null: the corrected result. */
  readonly compat?: "trl-0.15" | null;
}

/**
 * Makes the offload plan of a launch file.
 *
 * @throws GatewayError `source_unreadable` for a file or directory; otherwise as `planOffload`.
 */
export async function resolveLaunchFile(files: Files, path: string, options: LaunchPlanOptions): Promise<ResolvedPlan> {
  const { accelerator, saysPrecision } = await openLaunchFile(files, path);
  return createOffloadPlan(files, {
    deepspeed_config: accelerator.deepspeedPlugin?.deepspeedConfig ?? {},
    model: options.model,
    offload_to_cpu: options.offloadToCpu ?? false,
    compat: options.compat ?? null,
    ...(accelerator.numProcesses === undefined ? {} : { num_processes: accelerator.numProcesses }),
    ...(saysPrecision ? { mixed_precision: accelerator.mixedPrecision } : {}),
  });
}
