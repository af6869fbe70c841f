/**
 * A Hugging Face model directory as a value: its JSON files, its chat template and the list of its weight files.
 * Reads no tensor and judges no architecture: that is the worker's work.
 */
import { GatewayError, showValue } from "../errors.ts";
import type { Files } from "../ports.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

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

/** tokenizer.json of large vocabularies has up to 35 MiB; configuration files are some KiB. */
const TOKENIZER_LIMIT = 64 * 2 ** 20;
const SMALL_LIMIT = 4 * 2 ** 20;
/** An index names one file per shard; the largest published models have a few hundred. */
const SHARD_LIMIT = 4096;

const unreadable = (message: string, cause?: unknown): GatewayError =>
  new GatewayError("source_unreadable", message, cause === undefined ? {} : { cause });

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

async function readOptional(files: Files, path: string, limit: number): Promise<string | undefined> {
  const found = await files.stat(path);
  if (found === undefined) return undefined;
  if (found.kind !== "file") throw unreadable(`${path} is not a file.`);
  try {
    return await files.readText(path, limit);
  } catch (cause) {
    throw unreadable(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

async function readJson(files: Files, path: string, limit = SMALL_LIMIT): Promise<JsonObject | undefined> {
  const text = await readOptional(files, path, limit);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unreadable(`${path} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (!isObject(value)) throw unreadable(`${path} must hold a JSON object, got ${showValue(value)}.`);
  return value;
}

/** transformers writes one template as text, several as a list of `{name, template}` of which "default" is for chat. */
function templateOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return null;
  const named = value.filter(isObject);
  const chosen = named.find((entry) => entry.name === "default")?.template;
  return typeof chosen === "string" ? chosen : null;
}

async function readTemplate(files: Files, directory: string, tokenizerConfig: JsonObject): Promise<string | null> {
  const file = await readOptional(files, files.resolve(directory, "chat_template.jinja"), SMALL_LIMIT);
  if (file !== undefined) return file;
  const json = await readJson(files, files.resolve(directory, "chat_template.json"));
  return templateOf(json?.chat_template) ?? templateOf(tokenizerConfig.chat_template);
}

async function listWeights(files: Files, directory: string): Promise<string[]> {
  const indexPath = files.resolve(directory, "model.safetensors.index.json");
  const index = await readJson(files, indexPath, TOKENIZER_LIMIT);
  let names: string[];
  if (index === undefined) {
    const all = (await files.list(directory)).filter((name) => name.endsWith(".safetensors"));
    names = all.includes("model.safetensors") ? ["model.safetensors"] : all;
  } else {
    if (!isObject(index.weight_map)) throw unreadable(`${indexPath} has no weight_map.`);
    const named = new Set(Object.values(index.weight_map));
    names = [...named].filter((name): name is string => typeof name === "string").sort();
    const odd = [...named].find((name) => typeof name !== "string" || !/^[^/\\\0]+\.safetensors$/.test(name));
    if (odd !== undefined || names.length > SHARD_LIMIT) {
      const got = odd === undefined ? `${names.length} files` : showValue(odd);
      throw unreadable(`${indexPath} must name at most ${SHARD_LIMIT} .safetensors files beside it, got ${got}.`);
    }
  }
  if (names.length === 0) {
    throw unreadable(`${directory} has no .safetensors file; other weight formats are not supported.`);
  }
  const paths = names.map((name) => files.resolve(directory, name));
  for (const path of paths) {
    if ((await files.stat(path))?.kind !== "file") throw unreadable(`${path} is named by the index but is not there.`);
  }
  return paths;
}

/**
 * Opens a model directory for serving.
 * Throws GatewayError `source_unreadable` (not a directory, a file that is missing or broken) or `unsupported`
 * (no fast tokenizer), naming the path.
 */
export async function openCheckpoint(files: Files, directory: string): Promise<Checkpoint> {
  const root = files.resolve(directory);
  const found = await files.stat(root);
  if (found?.kind !== "directory") {
    const what = found === undefined ? "does not exist" : "is not a directory";
    throw unreadable(`The model ${root} ${what}; give the directory of a Hugging Face checkpoint.`);
  }
  const config = await readJson(files, files.resolve(root, "config.json"));
  if (config === undefined) {
    throw unreadable(`${root} has no config.json; give the directory of a Hugging Face checkpoint.`);
  }
  const tokenizerJson = await readJson(files, files.resolve(root, "tokenizer.json"), TOKENIZER_LIMIT);
  if (tokenizerJson === undefined) {
    throw new GatewayError(
      "unsupported",
      `${root} has no tokenizer.json; other tokenizer files are not supported. Save the tokenizer with a fast tokenizer class.`,
    );
  }
  const tokenizerConfig = (await readJson(files, files.resolve(root, "tokenizer_config.json"))) ?? {};
  return {
    directory: root,
    config,
    generationConfig: (await readJson(files, files.resolve(root, "generation_config.json"))) ?? {},
    tokenizerJson,
    tokenizerConfig,
    chatTemplate: await readTemplate(files, root, tokenizerConfig),
    weightFiles: await listWeights(files, root),
  };
}
