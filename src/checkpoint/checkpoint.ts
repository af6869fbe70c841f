/**
 * A Hugging Face model directory as a value: its JSON files, its chat template and the list of its weight files.
 * Reads no tensor and judges no architecture: that is the worker's work.
 */
import type { Files } from "../ports.ts";
import { openHead } from "./open-head.ts";
import type { JsonObject } from "./read-files.ts";
import type { TemplateTexts } from "./read-templates.ts";

export type { JsonObject } from "./read-files.ts";

export interface Checkpoint {
  /** Absolute. */
  readonly directory: string;
  readonly config: JsonObject;
  /** {} when there is none. */
  readonly generationConfig: JsonObject;
  readonly tokenizerJson: JsonObject;
  /** {} when there is none. */
  readonly tokenizerConfig: JsonObject;
  /** null: the model can complete but not chat. Several templates come by name. */
  readonly chatTemplate: TemplateTexts;
  /** Absolute paths of the safetensors files, sorted; never empty. */
  readonly weightFiles: readonly string[];
}

/**
 * Opens a model directory for serving.
 * Throws GatewayError `source_unreadable` (not a directory, a file that is missing or broken) or `unsupported`
 * (no fast tokenizer), naming the path.
 */
export async function openCheckpoint(files: Files, directory: string): Promise<Checkpoint> {
  const head = await openHead(files, directory);
  return {
    directory: head.directory,
    config: head.config.value,
    generationConfig: head.generationConfig?.value ?? {},
    tokenizerJson: head.tokenizerJson.value,
    tokenizerConfig: head.tokenizerConfig?.value ?? {},
    chatTemplate: head.templates.texts,
    weightFiles: head.weightFiles,
  };
}
