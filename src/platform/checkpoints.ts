/** Model directories through the file system of the runtime that runs us (Bun, Deno, Node): for the library and the commands. */
import { applyChatFormat } from "../checkpoint/apply-chat-format.ts";
import {
  openPretrained,
  type Pretrained,
  type PretrainedModel,
  type PretrainedTokenizer,
} from "../checkpoint/pretrained.ts";
import { type SavedCheckpoint, savePretrained } from "../checkpoint/save.ts";
import type { DirectoryFiles } from "../ports.ts";

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
