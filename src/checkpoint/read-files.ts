/** Bounded reads of the small files of a model directory, and the list of its weight files. Judges no contents. */
import { GatewayError, showValue } from "../errors.ts";
import type { Files } from "../ports.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON file as it stands and as it reads. */
export interface JsonFile {
  readonly text: string;
  readonly value: JsonObject;
}

/** tokenizer.json of large vocabularies has up to 35 MiB; configuration files are some KiB. */
export const TOKENIZER_LIMIT = 64 * 2 ** 20;
/** Configuration files and templates. */
export const SMALL_LIMIT = 4 * 2 ** 20;
/** An index names one file per shard; the largest published models have a few hundred. */
const SHARD_LIMIT = 4096;

/** A directory that cannot be used; the message names the path. */
export const unreadable = (message: string, cause?: unknown): GatewayError =>
  new GatewayError("source_unreadable", message, cause === undefined ? {} : { cause });

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/** True for `{…}`. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The text of a file; undefined when there is none. */
export async function readOptional(files: Files, path: string, limit: number): Promise<string | undefined> {
  const found = await files.stat(path).catch((cause: unknown) => {
    throw unreadable(`${path} cannot be read: ${reasonOf(cause)}`, cause);
  });
  if (found === undefined) return undefined;
  if (found.kind !== "file") throw unreadable(`${path} is not a file.`);
  try {
    return await files.readText(path, limit);
  } catch (cause) {
    throw unreadable(`${path} cannot be read: ${reasonOf(cause)}`, cause);
  }
}

/** A file that holds a JSON object; undefined when there is none. */
export async function readJsonFile(files: Files, path: string, limit = SMALL_LIMIT): Promise<JsonFile | undefined> {
  const text = await readOptional(files, path, limit);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unreadable(`${path} is not JSON: ${reasonOf(cause)}`, cause);
  }
  if (!isObject(value)) throw unreadable(`${path} must hold a JSON object, got ${showValue(value)}.`);
  return { text, value };
}

/** The directory's absolute path. */
export async function resolveDirectory(files: Files, directory: string): Promise<string> {
  const root = files.resolve(directory);
  const found = await files.stat(root).catch((cause: unknown) => {
    throw unreadable(`The model ${root} cannot be read: ${reasonOf(cause)}`, cause);
  });
  if (found?.kind === "directory") return root;
  const what = found === undefined ? "does not exist" : "is not a directory";
  throw unreadable(`The model ${root} ${what}; give the directory of a Hugging Face checkpoint.`);
}

/** `config.json`, which must be there. */
export async function readConfig(files: Files, root: string): Promise<JsonFile> {
  const config = await readJsonFile(files, files.resolve(root, "config.json"));
  if (config !== undefined) return config;
  throw unreadable(`${root} has no config.json; give the directory of a Hugging Face checkpoint.`);
}

/** `tokenizer.json`, which must be there. */
export async function readTokenizerJson(files: Files, root: string): Promise<JsonFile> {
  const json = await readJsonFile(files, files.resolve(root, "tokenizer.json"), TOKENIZER_LIMIT);
  if (json !== undefined) return json;
  throw new GatewayError(
    "unsupported",
    `${root} has no tokenizer.json; other tokenizer files are not supported. Save the tokenizer with a fast tokenizer class.`,
  );
}

/** Absolute paths of the safetensors files of a model directory, sorted; never empty. */
export async function listWeights(files: Files, directory: string): Promise<string[]> {
  const indexPath = files.resolve(directory, "model.safetensors.index.json");
  const index = (await readJsonFile(files, indexPath, TOKENIZER_LIMIT))?.value;
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
    throw unreadable(
      `${directory} has no .safetensors file; other weight formats are not supported. Save the model as safetensors (transformers: model.save_pretrained(DIR)).`,
    );
  }
  const paths = names.map((name) => files.resolve(directory, name));
  for (const path of paths) {
    if ((await files.stat(path))?.kind !== "file") throw unreadable(`${path} is named by the index but is not there.`);
  }
  return paths;
}
