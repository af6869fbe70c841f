/**
 * `model` and `tokenizer` of a Hugging Face directory as immutable values that can be changed and saved as a new
 * directory (`chat-format.ts`, `save.ts`). Reads the JSON files and the headers of the weights; no tensor.
 */
import type { DirectoryFiles } from "../ports.ts";
import { INDEX_FILE, openWeights, SINGLE_FILE } from "../tensor/weights.ts";
import { addTokens, type NewToken, toSpecialToken, type Vocabulary } from "./add-tokens.ts";
import { type CheckpointHead, openHead } from "./open-head.ts";
import { isObject, type JsonFile, type JsonObject, readJsonFile } from "./read-files.ts";
import type { TemplateTexts } from "./read-templates.ts";
import type { RowResize } from "./resize-rows.ts";
import { findVocabularyTensors, type VocabularyTensors } from "./vocabulary-tensors.ts";

export interface PretrainedModel {
  readonly files: DirectoryFiles;
  /** Absolute; never written to. */
  readonly directory: string;
  readonly config: JsonFile;
  /** null when the directory has none. */
  readonly generationConfig: JsonFile | null;
  /** Absolute paths. */
  readonly weightFiles: readonly string[];
  /** As they are in the directory. */
  readonly vocabularyTensors: VocabularyTensors;
  /** What saving does to them; null = nothing. */
  readonly resize: RowResize | null;
}

/** One template, or several by name. */
export type ChatTemplateText = string | readonly JsonObject[];

export interface PretrainedTokenizer {
  readonly files: DirectoryFiles;
  /** Absolute; never written to. */
  readonly directory: string;
  readonly json: JsonFile;
  readonly config: JsonFile;
  /** `special_tokens_map.json` and `added_tokens.json` of transformers 4; null when there is none. */
  readonly specialTokensMap: JsonFile | null;
  readonly addedTokens: JsonFile | null;
  readonly vocabulary: Vocabulary;
  /** null: the tokenizer has none. `{ ...tokenizer, chatTemplate: null }` clears it. */
  readonly chatTemplate: ChatTemplateText | null;
  /** Where the template is read: `chat_template.jinja` (transformers 5) or `tokenizer_config.json` (4). */
  readonly templatePlace: "file" | "config";
  /** True when `tokenizer_config.json` is in transformers 5's form: no `added_tokens_decoder`, one list of further tokens. */
  readonly newForm: boolean;
}

/** What `openCheckpoint` of the library gives. */
export interface Pretrained {
  readonly model: PretrainedModel;
  readonly tokenizer: PretrainedTokenizer;
}

/** Rows of the embedding once the model is saved. */
export const rowsOf = (model: PretrainedModel): number => model.resize?.rows ?? model.vocabularyTensors.rows;

const SPECIAL_NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

function toToken(value: unknown, special: boolean): NewToken | undefined {
  if (typeof value === "string") return { ...toSpecialToken(value), special };
  if (!isObject(value) || typeof value.content !== "string") return undefined;
  const flag = (name: string): boolean => value[name] === true;
  return {
    content: value.content,
    single_word: flag("single_word"),
    lstrip: flag("lstrip"),
    rstrip: flag("rstrip"),
    normalized: flag("normalized"),
    special: special || flag("special"),
  };
}

/**
 * Tokens that only `tokenizer_config.json` names: transformers adds them when it loads the tokenizer, in this order
 * (`tokenization_utils_fast.py`).
 */
function missingTokens(json: JsonObject, config: JsonObject): NewToken[] {
  const { idOf } = addTokens(json, []);
  const decoder = isObject(config.added_tokens_decoder) ? config.added_tokens_decoder : {};
  const further = [config.additional_special_tokens, config.extra_special_tokens].flatMap((list) =>
    Array.isArray(list) ? list : [],
  );
  const named = [
    // Keys are ids: objects list such keys in ascending order.
    ...Object.values(decoder).map((value) => toToken(value, false)),
    ...[...SPECIAL_NAMES.map((name) => config[name]), ...further].map((value) => toToken(value, true)),
  ];
  const out = new Map<string, NewToken>();
  for (const token of named) {
    if (token === undefined || token.content === "") continue;
    if (idOf(token.content) === undefined && !out.has(token.content)) out.set(token.content, token);
  }
  return [...out.values()];
}

const EMPTY: JsonFile = { text: "{}\n", value: {} };

/** Several templates as `tokenizer_config.json` spells them. */
const toTemplateText = (texts: TemplateTexts): ChatTemplateText | null =>
  typeof texts === "string" || texts === null
    ? texts
    : Object.entries(texts).map(([name, template]) => ({ name, template }));

async function openTokenizer(
  files: DirectoryFiles,
  head: CheckpointHead,
  version: number,
): Promise<PretrainedTokenizer> {
  const { directory, tokenizerJson: json, templates } = head;
  const read = async (name: string): Promise<JsonFile | null> =>
    (await readJsonFile(files, files.resolve(directory, name))) ?? null;
  const config = head.tokenizerConfig ?? EMPTY;
  const { value } = config;
  const oldForm = "added_tokens_decoder" in value || "additional_special_tokens" in value;
  return {
    files,
    directory,
    json,
    config,
    specialTokensMap: await read("special_tokens_map.json"),
    addedTokens: await read("added_tokens.json"),
    vocabulary: addTokens(json.value, missingTokens(json.value, value)),
    chatTemplate: toTemplateText(templates.texts),
    templatePlace: templates.inFile || (templates.texts === null && version >= 5) ? "file" : "config",
    newForm: Array.isArray(value.extra_special_tokens) || (version >= 5 && !oldForm),
  };
}

/** Major version of the transformers that wrote the directory; 0 when it does not say. */
const versionOf = (config: JsonObject): number => Number.parseInt(String(config.transformers_version ?? "0"), 10) || 0;

const has = async (files: DirectoryFiles, root: string, name: string): Promise<boolean> =>
  (await files.stat(files.resolve(root, name)))?.kind === "file";

/**
 * Opens a model directory for changing. Reads some MiB whatever the size of the model.
 *
 * @throws GatewayError `source_unreadable`, `unsupported`, `weights_*`, naming the path or the tensor.
 */
export async function openPretrained(files: DirectoryFiles, directory: string): Promise<Pretrained> {
  const head = await openHead(files, directory);
  const { directory: root, config, generationConfig, weightFiles } = head;
  const tokenizer = await openTokenizer(files, head, versionOf(config.value));
  // Given the directory, the index is checked against the shards; but there a lone model.safetensors goes first.
  const indexed = !weightFiles.some((path) => path.endsWith(SINGLE_FILE)) && (await has(files, root, INDEX_FILE));
  const weights = await openWeights(files, indexed ? root : weightFiles);
  await weights.close();
  const model: PretrainedModel = {
    files,
    directory: root,
    config,
    generationConfig,
    weightFiles,
    vocabularyTensors: findVocabularyTensors(config.value, weights.tensors),
    resize: null,
  };
  return { model, tokenizer };
}
