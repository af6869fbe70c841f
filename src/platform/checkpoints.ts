/** Model directories through the file system of the runtime that runs us (Bun, Deno, Node): for the library and the commands. */
import { applyChatFormat } from "../checkpoint/apply-chat-format.ts";
import {
  openPretrained,
  type Pretrained,
  type PretrainedModel,
  type PretrainedTokenizer,
} from "../checkpoint/pretrained.ts";
import { type SavedCheckpoint, savePretrained } from "../checkpoint/save.ts";
import type { OffloadPlan } from "../contract/control/offload-plans.ts";
import type { Accelerator } from "../offload/accelerator.ts";
import { type LaunchPlanOptions, openLaunchFile, resolveLaunchFile } from "../offload/open-launch-file.ts";
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
 * Makes the offload plan of a launch file: DeepSpeed's JSON, or the YAML of `accelerate launch`.
 *
 * @throws GatewayError as `resolveLaunchFile`.
 */
export const planLaunchFile = async (files: Files, path: string, options: LaunchPlanOptions): Promise<OffloadPlan> =>
  (await resolveLaunchFile(files, path, options)).plan;

/**
 * Opens a launch file as an accelerator: DeepSpeed's own JSON, or what `accelerate config` writes.
 *
 * @throws GatewayError `source_unreadable` naming the path, `invalid_value` naming the field, `unsupported` for a run without DeepSpeed.
 */
export async function openAccelerator(
  path: string,
  options: { readonly files?: DirectoryFiles } = {},
): Promise<Accelerator> {
  return (await openLaunchFile(options.files ?? (await currentFiles()), path)).accelerator;
}
