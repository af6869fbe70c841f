/** Model directories through the file system of the runtime that runs us (Bun, Deno, Node): for the library and the commands. */
import { applyChatFormat } from "../checkpoint/apply-chat-format.ts";
import {
  openPretrained,
  type Pretrained,
  type PretrainedModel,
  type PretrainedTokenizer,
} from "../checkpoint/pretrained.ts";
import { readOptional, unreadable } from "../checkpoint/read-files.ts";
import { type SavedCheckpoint, savePretrained } from "../checkpoint/save.ts";
import type { OffloadPlan } from "../contract/control/offload-plans.ts";
import type { Accelerator } from "../offload/accelerator.ts";
import {
  deepspeedFileOf,
  isAccelerateFile,
  LAUNCH_FILE_LIMIT,
  parseLaunchText,
  toAccelerator,
} from "../offload/launch-file.ts";
import { createOffloadPlan } from "../offload/plan.ts";
import type { DirectoryFiles, Files } from "../ports.ts";

export { applyChatFormat };

/** Loaded on use: the library is also imported where there are no files. */
const currentFiles = async (): Promise<DirectoryFiles> => (await import("./shared/files.ts")).createFiles();

/**
 * Opens a Hugging Face model directory: `model` and `tokenizer` as values. Reads its JSON files and the headers of its
 * weights, no tensor. `files`: default the runtime's own file system.
 *
 * @throws GatewayError `source_unreadable`, `unsupported` or `weights_*`, naming the path or the tensor.
 */
export async function openCheckpoint(
  directory: string,
  options: { readonly files?: DirectoryFiles } = {},
): Promise<Pretrained> {
  return openPretrained(options.files ?? (await currentFiles()), directory);
}

/**
 * Writes a model and a tokenizer as one new directory, which appears whole or not at all; the directories they came
 * from are only read. A tensor at a time passes through memory, piece by piece.
 *
 * @throws GatewayError `conflict` (it exists), `invalid_value`, `limit_exceeded` (disk full), `weights_*`.
 */
export function saveCheckpoint(
  model: PretrainedModel,
  tokenizer: PretrainedTokenizer,
  directory: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<SavedCheckpoint> {
  return savePretrained(model, tokenizer, directory, { ...options, random: { uuid: () => crypto.randomUUID() } });
}

/**
 * Makes the offload plan of a launch file: DeepSpeed's JSON, or the YAML of `accelerate launch`. A DeepSpeed file that the
 * latter names is looked for from the working directory, as accelerate does, and then beside it.
 *
 * @throws GatewayError `source_unreadable` for a file or directory; otherwise as `planOffload`.
 */
export async function planLaunchFile(
  files: Files,
  path: string,
  options: { readonly model: string; readonly offloadToCpu?: boolean; readonly compat?: "trl-0.15" | null },
): Promise<OffloadPlan> {
  const accelerator = await openAcceleratorFile(files, path);
  const { plan } = await createOffloadPlan(files, {
    deepspeed_config: accelerator.deepspeedPlugin?.deepspeedConfig ?? {},
    model: options.model,
    offload_to_cpu: options.offloadToCpu ?? false,
    compat: options.compat ?? null,
    ...(accelerator.numProcesses === undefined ? {} : { num_processes: accelerator.numProcesses }),
    ...(accelerator.saysPrecision ? { mixed_precision: accelerator.mixedPrecision } : {}),
  });
  return plan;
}

async function openAcceleratorFile(
  files: Files,
  path: string,
): Promise<Accelerator & { readonly saysPrecision: boolean }> {
  const read = async (file: string) => {
    const text = await readOptional(files, file, LAUNCH_FILE_LIMIT);
    if (text === undefined)
      throw unreadable(`${file} does not exist; give DeepSpeed's JSON or accelerate's YAML file.`);
    return parseLaunchText(text, file);
  };
  const root = files.resolve(path);
  const value = await read(root);
  const named = deepspeedFileOf(value);
  if (named === undefined) return { ...toAccelerator(value), saysPrecision: isAccelerateFile(value) };
  const here = files.resolve(named);
  const inner = (await files.stat(here)) === undefined ? files.resolve(root, "..", named) : here;
  return { ...toAccelerator(value, await read(inner)), saysPrecision: true };
}

/**
 * Opens a launch file as an accelerator: DeepSpeed's own JSON, or what `accelerate config` writes.
 *
 * @throws GatewayError `source_unreadable` naming the path, `invalid_value` naming the field, `unsupported` for a run without DeepSpeed.
 */
export async function openAccelerator(
  path: string,
  options: { readonly files?: DirectoryFiles } = {},
): Promise<Accelerator> {
  const { saysPrecision: _, ...accelerator } = await openAcceleratorFile(options.files ?? (await currentFiles()), path);
  return accelerator;
}
