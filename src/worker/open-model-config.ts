/** The configuration of a model directory or GGUF file. */
import { GatewayError } from "../errors.ts";
import type { Files } from "../ports.ts";
import { openGgufConfig } from "./gguf/checkpoint.ts";
import { type ModelConfig, parseModelConfig } from "./model-config.ts";

/** config.json files are a few KB; a larger one is not one. */
const CONFIG_BYTES_LIMIT = 1024 * 1024;

/**
 * Reads and parses `config.json` of a model directory.
 *
 * @throws GatewayError `not_found` without that file, `malformed_json`, and what `parseModelConfig` throws
 */
export async function openModelConfig(files: Files, directory: string): Promise<ModelConfig> {
  if ((await files.stat(directory))?.kind === "file") {
    return await openGgufConfig(files, directory);
  }
  const path = files.resolve(directory, "config.json");
  if ((await files.stat(path))?.kind !== "file") {
    throw new GatewayError("not_found", `${directory} is no Hugging Face model directory: it has no config.json.`);
  }
  const text = await files.readText(path, CONFIG_BYTES_LIMIT);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("malformed_json", `${path} is not JSON: ${String(cause)}.`, { cause });
  }
  try {
    return parseModelConfig(json);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(error.code, error.message.replace(/^config\.json\b/, path), error.details);
  }
}
