/**
 * `setup_chat_format` of TRL (`trl/models/utils.py`, 0.15; removed in 0.26) on the values that `pretrained.ts` opens:
 * special tokens, their ids everywhere, the ChatML template, and as many embedding rows as there are tokens.
 * Pure: nothing is read or written here.
 */
import { LARGEST_MULTIPLE } from "../contract/control/chat-formats.ts";
import { GatewayError, invalidValue } from "../errors.ts";
import { type AddedToken, addTokens, type NewToken, toSpecialToken } from "./add-tokens.ts";
import { editJson, memberText, RawJson } from "./json-edit.ts";
import type { PretrainedModel, PretrainedTokenizer } from "./pretrained.ts";
import { isObject, type JsonFile } from "./read-files.ts";

/** The formats there are. */
export const CHAT_FORMATS = ["chatml"] as const;
export type ChatFormat = (typeof CHAT_FORMATS)[number];

const BOS = "<|im_start|>";
const EOS = "<|im_end|>";

export const SPECIAL_TOKENS = { bos_token: BOS, eos_token: EOS, pad_token: EOS } as const;

/** TRL's, byte for byte: the line breaks inside the quotes are real ones. */
export const CHATML =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

export interface ChatFormatOptions {
  /** Default "chatml", the only one. */
  readonly format?: ChatFormat;
  /** Rows are rounded up to a multiple of this: 1 to 65536. Default: as many rows as tokens. */
  readonly resizeToMultipleOf?: number | null;
  /** Of the noise in the new rows: any safe integer. Default 0. */
  readonly seed?: number;
}

const edited = (file: JsonFile, edits: Readonly<Record<string, unknown>>): JsonFile => {
  const text = editJson(file.text, edits);
  return { text, value: { ...file.value, ...edits } };
};

/** Ids of the special tokens of a tokenizer that was set up. */
export function specialTokenIds({ vocabulary }: Pick<PretrainedTokenizer, "vocabulary">) {
  return toIdFields({ bos: vocabulary.idOf(BOS)!, eos: vocabulary.idOf(EOS)! });
}

/** The rows that a vocabulary needs, rounded up. */
function chooseRows(tokens: number, multiple: unknown): number {
  if (multiple === undefined || multiple === null) return tokens;
  if (!Number.isSafeInteger(multiple) || (multiple as number) < 1 || (multiple as number) > LARGEST_MULTIPLE) {
    throw invalidValue("resize_to_multiple_of", multiple, `an integer from 1 to ${LARGEST_MULTIPLE}`);
  }
  return Math.ceil(tokens / (multiple as number)) * (multiple as number);
}

interface Ids {
  readonly bos: number;
  readonly eos: number;
}

const toIdFields = ({ bos, eos }: Ids) => ({ bos_token_id: bos, eos_token_id: eos, pad_token_id: eos });

/** Ids and the number of rows. A multimodal configuration has its text part inside; ids stay where they are there too. */
function editConfig(config: JsonFile, ids: Ids, rows: number): JsonFile {
  const fields = toIdFields(ids);
  const inner = config.value.text_config;
  const innerText = memberText(config.text, "text_config");
  if (!isObject(inner) || innerText === undefined) return edited(config, { ...fields, vocab_size: rows });
  const own = Object.fromEntries(Object.entries(fields).filter(([key]) => key in inner));
  const text = new RawJson(editJson(innerText, { ...own, vocab_size: rows }));
  const outer = "vocab_size" in config.value ? { ...fields, vocab_size: rows } : fields;
  return {
    text: editJson(config.text, { ...outer, text_config: text }),
    value: { ...config.value, ...outer, text_config: { ...inner, ...own, vocab_size: rows } },
  };
}

/** transformers makes one from the configuration where the directory has none. */
const NEW_GENERATION_CONFIG: JsonFile = {
  text: '{\n  "_from_model_config": true\n}\n',
  value: { _from_model_config: true },
};

/** An added token as `tokenizer_config.json` spells it, under its id. */
const toDecoderEntry = ({ content, lstrip, normalized, rstrip, single_word, special }: AddedToken) => ({
  content,
  lstrip,
  normalized,
  rstrip,
  single_word,
  special,
});

function editTokenizerConfig(tokenizer: PretrainedTokenizer, added: readonly AddedToken[]): JsonFile {
  const { config, newForm } = tokenizer;
  const old = config.value.added_tokens_decoder;
  return edited(config, {
    ...SPECIAL_TOKENS,
    ...(newForm ? { extra_special_tokens: [BOS, EOS] } : { additional_special_tokens: [BOS, EOS] }),
    ...(isObject(old)
      ? { added_tokens_decoder: Object.fromEntries(added.map((token) => [token.id, toDecoderEntry(token)])) }
      : {}),
  });
}

/** As transformers 4 writes it: the list in the long form. */
function editSpecialTokensMap(map: JsonFile): JsonFile {
  const entry = (content: string) => ({
    content,
    lstrip: false,
    normalized: false,
    rstrip: false,
    single_word: false,
  });
  return edited(map, { ...SPECIAL_TOKENS, additional_special_tokens: [entry(BOS), entry(EOS)] });
}

/** Tokens that only `tokenizer_config.json` named come along: they have ids from now on. */
function allTokens({ json, vocabulary }: PretrainedTokenizer): NewToken[] {
  const { idOf } = addTokens(json.value, []);
  return [
    ...vocabulary.added.filter(({ content }) => idOf(content) === undefined).map(({ id: _, ...token }) => token),
    toSpecialToken(BOS),
    toSpecialToken(EOS),
  ];
}

/**
 * Adds `<|im_start|>` and `<|im_end|>` as special tokens (existing ones keep their ids), makes them bos and eos/pad of
 * tokenizer, `config.json` and `generation_config.json`, installs the ChatML template, and resizes the embedding and an
 * untied head to the number of tokens. More rows than that before: the matrix shrinks, as in the original.
 *
 * Returns new values; the ones given stay as they are. `saveCheckpoint` writes them.
 *
 * @throws GatewayError `conflict` when the tokenizer has a chat template already (clear it with
 * `{ ...tokenizer, chatTemplate: null }`), `invalid_value` for an unknown format, a multiple below 1 or an unsafe seed.
 * Where the original fails after half of the change (a multiple of 0, a float), nothing is changed here.
 */
export function setupChatFormat(
  model: PretrainedModel,
  tokenizer: PretrainedTokenizer,
  options: ChatFormatOptions = {},
): [PretrainedModel, PretrainedTokenizer] {
  const { format = "chatml", resizeToMultipleOf, seed = 0 } = options;
  if (tokenizer.chatTemplate !== null) {
    throw new GatewayError(
      "conflict",
      "Chat template is already added to the tokenizer. If you want to overwrite it, please set it to null " +
        "({ ...tokenizer, chatTemplate: null }).",
      { param: "model" },
    );
  }
  if (!CHAT_FORMATS.includes(format)) {
    throw invalidValue("format", format, `one of ${CHAT_FORMATS.map((name) => JSON.stringify(name)).join(", ")}`);
  }
  if (!Number.isSafeInteger(seed)) throw invalidValue("seed", seed, "an integer between -(2^53 - 1) and 2^53 - 1");
  const vocabulary = addTokens(tokenizer.json.value, allTokens(tokenizer));
  // Both were just added.
  const ids: Ids = { bos: vocabulary.idOf(BOS)!, eos: vocabulary.idOf(EOS)! };
  // With gaps between the ids the original would cut off rows that have tokens.
  const rows = chooseRows(Math.max(vocabulary.length, vocabulary.end), resizeToMultipleOf);
  const generation = model.generationConfig ?? NEW_GENERATION_CONFIG;
  const { addedTokens, specialTokensMap } = tokenizer;
  return [
    {
      ...model,
      config: editConfig(model.config, ids, rows),
      generationConfig: edited(generation, toIdFields(ids)),
      resize: rows === model.vocabularyTensors.rows ? null : { rows, seed },
    },
    {
      ...tokenizer,
      json: edited(tokenizer.json, { added_tokens: vocabulary.added }),
      config: editTokenizerConfig(tokenizer, vocabulary.added),
      specialTokensMap: specialTokensMap && editSpecialTokensMap(specialTokensMap),
      addedTokens: addedTokens && edited(addedTokens, { [BOS]: ids.bos, [EOS]: ids.eos }),
      vocabulary,
      chatTemplate: CHATML,
    },
  ];
}
