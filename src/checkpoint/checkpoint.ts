/**
 * A Hugging Face model directory as a value: its JSON files, its chat template and the list of its weight files.
 * Reads no tensor and judges no architecture: that is the worker's work.
 */
import type { Files } from "../ports.ts";
import {
  isObject,
  type JsonObject,
  listWeights,
  readConfig,
  readJsonFile,
  readOptional,
  readTokenizerJson,
  resolveDirectory,
  SMALL_LIMIT,
} from "./read-files.ts";

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
  /** null: the model can complete but not chat. */
  readonly chatTemplate: string | null;
  /** Absolute paths of the safetensors files, sorted; never empty. */
  readonly weightFiles: readonly string[];
}

/** transformers writes one template as text, several as a list of `{name, template}` of which "default" is for chat. */
export function templateOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return null;
  const named = value.filter(isObject);
  const chosen = named.find((entry) => entry.name === "default")?.template;
  return typeof chosen === "string" ? chosen : null;
}

async function readTemplate(files: Files, directory: string, tokenizerConfig: JsonObject): Promise<string | null> {
  const file = await readOptional(files, files.resolve(directory, "chat_template.jinja"), SMALL_LIMIT);
  if (file !== undefined) return file;
  const json = await readJsonFile(files, files.resolve(directory, "chat_template.json"));
  return templateOf(json?.value.chat_template) ?? templateOf(tokenizerConfig.chat_template);
}

/**
 * Opens a model directory for serving.
 * Throws GatewayError `source_unreadable` (not a directory, a file that is missing or broken) or `unsupported`
 * (no fast tokenizer), naming the path.
 */
export async function openCheckpoint(files: Files, directory: string): Promise<Checkpoint> {
  const root = await resolveDirectory(files, directory);
  const config = (await readConfig(files, root)).value;
  const tokenizerJson = (await readTokenizerJson(files, root)).value;
  const tokenizerConfig = (await readJsonFile(files, files.resolve(root, "tokenizer_config.json")))?.value ?? {};
  return {
    directory: root,
    config,
    generationConfig: (await readJsonFile(files, files.resolve(root, "generation_config.json")))?.value ?? {},
    tokenizerJson,
    tokenizerConfig,
    chatTemplate: await readTemplate(files, root, tokenizerConfig),
    weightFiles: await listWeights(files, root),
  };
}
