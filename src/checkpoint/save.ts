/**
 * Writes a model and a tokenizer as one new directory, whole or not at all. Weight files without a resized tensor are
 * copied as they are; the others stream through, tensor by tensor.
 */
import { invalidValue } from "../errors.ts";
import type { DirectoryFiles, Random } from "../ports.ts";
import { INDEX_FILE, openWeights, readHeader, type Weights } from "../tensor/weights.ts";
import { type TensorToWrite, writeSafetensors } from "../tensor/write.ts";
import { editJson, memberText, RawJson } from "./json-edit.ts";
import { type PretrainedModel, type PretrainedTokenizer, rowsOf } from "./pretrained.ts";
import { readJsonFile, TOKENIZER_LIMIT } from "./read-files.ts";
import { resizeRows } from "./resize-rows.ts";
import type { VocabularyTensor } from "./vocabulary-tensors.ts";
import { checkOutput, writeDirectory } from "./write-directory.ts";

export interface SaveOptions {
  readonly random: Pick<Random, "uuid">;
  /** Stops the writing; nothing of the directory stays then. */
  readonly signal?: AbortSignal;
}

export interface SavedCheckpoint {
  /** Absolute. */
  readonly directory: string;
  /** Names of its files, sorted. */
  readonly files: readonly string[];
}

/** Files that belong to the tokenizer; everything else belongs to the model. */
const TOKENIZER_FILES: ReadonlySet<string> = new Set([
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "tokenizer.model",
  "spiece.model",
  "sentencepiece.bpe.model",
  "tekken.json",
]);

/** Written anew from the values, or gone because the template is elsewhere now. */
const OWN_FILES: ReadonlySet<string> = new Set([
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
  "chat_template.json",
]);

/** Weights in another form hold the old rows: a copy would contradict the rest. Hidden files are somebody else's. */
const FOREIGN =
  /^\.|\.(?:safetensors|safetensors\.index\.json|bin|bin\.index\.json|pt|pth|h5|msgpack|gguf|onnx|onnx_data|ot)$/;

async function writeText(files: DirectoryFiles, path: string, text: string): Promise<void> {
  const writer = await files.openWrite(path);
  try {
    await writer.write(new TextEncoder().encode(text));
  } finally {
    await writer.close();
  }
}

/** The JSON files and the template, by name. */
function textsOf(model: PretrainedModel, tokenizer: PretrainedTokenizer): Map<string, string> {
  const { chatTemplate, templatePlace } = tokenizer;
  // Several templates have no file of their own here.
  const inFile = templatePlace === "file" && typeof chatTemplate === "string";
  const inline = inFile || chatTemplate === null ? undefined : chatTemplate;
  const texts = new Map([
    ["config.json", model.config.text],
    ["tokenizer.json", tokenizer.json.text],
    ["tokenizer_config.json", editJson(tokenizer.config.text, { chat_template: inline })],
  ]);
  if (model.generationConfig !== null) texts.set("generation_config.json", model.generationConfig.text);
  if (tokenizer.specialTokensMap !== null) texts.set("special_tokens_map.json", tokenizer.specialTokensMap.text);
  if (tokenizer.addedTokens !== null) texts.set("added_tokens.json", tokenizer.addedTokens.text);
  if (inFile) texts.set("chat_template.jinja", chatTemplate);
  return texts;
}

/** What else lies in the two directories, as `[from, name]`. */
async function listFurther(model: PretrainedModel, tokenizer: PretrainedTokenizer): Promise<[string, string][]> {
  const out: [string, string][] = [];
  for (const [{ files, directory }, ofTokenizer] of [
    [model, false],
    [tokenizer, true],
  ] as const) {
    for (const name of await files.list(directory)) {
      const path = files.resolve(directory, name);
      if (OWN_FILES.has(name) || FOREIGN.test(name) || TOKENIZER_FILES.has(name) !== ofTokenizer) continue;
      if ((await files.stat(path))?.kind === "file") out.push([path, name]);
    }
  }
  return out;
}

const nameOf = (path: string): string => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

/** The shape of a tensor after the resize. */
const shapeAfter = ({ tensor }: VocabularyTensor, rows: number): number[] => [rows, ...tensor.shape.slice(1)];

async function writeShard(
  model: PretrainedModel,
  weights: Weights,
  path: string,
  to: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { files, resize, vocabularyTensors } = model;
  const changing = new Map(vocabularyTensors.all.map((one) => [one.name, one]));
  const tensors: TensorToWrite[] = [];
  for (const [name, { file, dtype, shape }] of weights.tensors) {
    if (file !== path) continue;
    const target = changing.get(name);
    tensors.push(
      target === undefined || resize === null
        ? { name, dtype, shape, data: () => weights.chunks(name) }
        : {
            name,
            dtype,
            shape: shapeAfter(target, resize.rows),
            data: () => resizeRows(weights, target, resize, { tied: vocabularyTensors.tied, signal }),
          },
    );
  }
  const reader = await files.openRead(path);
  const { metadata } = await readHeader(reader).finally(() => reader.close());
  const writer = await files.openWrite(to);
  const stopped = {
    ...writer,
    write: (bytes: Uint8Array) => {
      signal?.throwIfAborted();
      return writer.write(bytes);
    },
  };
  try {
    await writeSafetensors(stopped, tensors, metadata === null ? undefined : Object.fromEntries(metadata));
  } finally {
    await writer.close();
  }
}

/** The index names the same files; only the sums change. */
async function writeIndex(model: PretrainedModel, weights: Weights, directory: string): Promise<void> {
  const { files, vocabularyTensors } = model;
  const index = await readJsonFile(files, files.resolve(model.directory, INDEX_FILE), TOKENIZER_LIMIT);
  if (index === undefined) return;
  const rows = rowsOf(model);
  const grown = vocabularyTensors.all.map(({ tensor }) => ({
    bytes: (tensor.byteLength / vocabularyTensors.rows) * (rows - vocabularyTensors.rows),
    elements: (tensor.shape[1] ?? 1) * (rows - vocabularyTensors.rows),
  }));
  const bytes = [...weights.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  const metadataText = memberText(index.text, "metadata");
  const old = (index.value.metadata ?? {}) as { readonly total_parameters?: unknown };
  const sums = {
    total_size: grown.reduce((sum, one) => sum + one.bytes, bytes),
    ...(typeof old.total_parameters === "number"
      ? { total_parameters: grown.reduce((sum, one) => sum + one.elements, old.total_parameters) }
      : {}),
  };
  const metadata = metadataText?.startsWith("{") ? new RawJson(editJson(metadataText, sums)) : sums;
  await writeText(files, files.resolve(directory, INDEX_FILE), editJson(index.text, { metadata }));
}

async function writeWeights(model: PretrainedModel, directory: string, signal: AbortSignal | undefined): Promise<void> {
  const { files, weightFiles, resize, vocabularyTensors } = model;
  const changed = new Set(resize === null ? [] : vocabularyTensors.all.map(({ tensor }) => tensor.file));
  const weights = await openWeights(files, weightFiles);
  try {
    await writeIndex(model, weights, directory);
    for (const path of weightFiles) {
      signal?.throwIfAborted();
      const to = files.resolve(directory, nameOf(path));
      if (changed.has(path)) await writeShard(model, weights, path, to, signal);
      else await files.copy(path, to);
    }
  } finally {
    await weights.close();
  }
}

/**
 * Saves both as the new directory `directory`, which must not exist. The sources are only read.
 *
 * Memory: the largest JSON file, a piece of one tensor, and the rows that are added to it.
 *
 * @throws GatewayError `conflict` (exists), `invalid_value` (inside a source, cannot be written), `limit_exceeded` (disk
 * full), `weights_*`, `source_unreadable`; then nothing of the directory is there.
 */
export async function savePretrained(
  model: PretrainedModel,
  tokenizer: PretrainedTokenizer,
  directory: string,
  options: SaveOptions,
): Promise<SavedCheckpoint> {
  const { files } = model;
  const { signal } = options;
  if (tokenizer.vocabulary.end > rowsOf(model)) {
    throw invalidValue("tokenizer", tokenizer.directory, `one of at most ${rowsOf(model)} tokens, the model's rows`);
  }
  const target = await checkOutput(files, directory, [model.directory, tokenizer.directory]);
  await writeDirectory(files, target, options.random.uuid(), async (staged) => {
    for (const [name, text] of textsOf(model, tokenizer)) await writeText(files, files.resolve(staged, name), text);
    for (const [from, name] of await listFurther(model, tokenizer)) {
      signal?.throwIfAborted();
      await files.copy(from, files.resolve(staged, name));
    }
    await writeWeights(model, staged, signal);
  });
  return { directory: target, files: await files.list(target) };
}
