/**
 * What every use of a Hugging Face directory reads first: its JSON files, its chat templates and the names of its weight files.
 * Reads no tensor and judges no architecture. Serving (`checkpoint.ts`) and changing (`pretrained.ts`) go on from here.
 */
import type { Files } from "../ports.ts";
import {
  type JsonFile,
  listWeights,
  readConfig,
  readJsonFile,
  readTokenizerJson,
  resolveDirectory,
} from "./read-files.ts";
import { type FoundTemplates, readTemplates } from "./read-templates.ts";

export interface CheckpointHead {
  /** Absolute. */
  readonly directory: string;
  readonly config: JsonFile;
  /** null when there is none. */
  readonly generationConfig: JsonFile | null;
  readonly tokenizerJson: JsonFile;
  /** null when there is none. */
  readonly tokenizerConfig: JsonFile | null;
  readonly templates: FoundTemplates;
  /** Absolute paths of the safetensors files, sorted; never empty. */
  readonly weightFiles: readonly string[];
}

/**
 * Opens the head of a model directory.
 *
 * @throws GatewayError `source_unreadable` (not a directory, a file that is missing or broken) or `unsupported` (no fast
 *   tokenizer), naming the path.
 */
export async function openHead(files: Files, directory: string): Promise<CheckpointHead> {
  const root = await resolveDirectory(files, directory);
  const read = async (name: string): Promise<JsonFile | null> =>
    (await readJsonFile(files, files.resolve(root, name))) ?? null;
  const config = await readConfig(files, root);
  const tokenizerJson = await readTokenizerJson(files, root);
  const tokenizerConfig = await read("tokenizer_config.json");
  return {
    directory: root,
    config,
    generationConfig: await read("generation_config.json"),
    tokenizerJson,
    tokenizerConfig,
    templates: await readTemplates(files, root, tokenizerConfig?.value ?? {}),
    weightFiles: await listWeights(files, root),
  };
}
