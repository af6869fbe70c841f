/**
 * The vocabulary of a GGUF file as `tokenizer.json` and `tokenizer_config.json`: byte-level BPE ("gpt2") and
 * SentencePiece-like BPE ("llama"). What these files mean is the tokenizer's business.
 */
import { GatewayError, showValue } from "../../errors.ts";
import type { Json } from "../json-fields.ts";
import type { GgufHeader } from "./header.ts";
import { createMetadata, type Metadata } from "./metadata.ts";
import { toPreTokenizer } from "./pre-tokenizers.ts";

export interface GgufTokenizer {
  readonly tokenizerJson: Json;
  readonly tokenizerConfig: Json;
}

/** `tokenizer.ggml.token_type` (llama.h, `llama_token_type`). */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

interface Vocabulary {
  readonly tokens: readonly string[];
  /** Token → id; of tokens spelled alike the first counts. */
  readonly ids: Readonly<Record<string, number>>;
  readonly types: readonly number[];
}

function readVocabulary(metadata: Metadata): Vocabulary {
  const key = "tokenizer.ggml.tokens";
  const tokens = metadata.required(key, metadata.texts(key));
  const types = metadata.numbers("tokenizer.ggml.token_type") ?? [];
  if (types.length !== 0 && types.length !== tokens.length) {
    throw new GatewayError(
      "invalid_value",
      `${metadata.path}: tokenizer.ggml.token_type has ${types.length} entries for ${tokens.length} tokens.`,
      { param: "tokenizer.ggml.token_type" },
    );
  }
  const ids: Record<string, number> = Object.create(null);
  for (const [id, token] of tokens.entries()) ids[token] ??= id;
  return { tokens, ids, types };
}

/** Control tokens are special; tokens that the user added are matched in the text like them, and are text. */
function toAddedTokens({ tokens, types }: Vocabulary): Json[] {
  return tokens.flatMap((content, id) => {
    const type = types[id];
    if (type !== CONTROL && type !== USER_DEFINED && type !== UNKNOWN) return [];
    const special = type !== USER_DEFINED;
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
}

/** Which special tokens frame a text. */
function toPostProcessor(metadata: Metadata, { tokens }: Vocabulary, addBos: boolean): Json | null {
  const frame = (flag: string, name: string, fallback: boolean): number | undefined =>
    (metadata.flag(`tokenizer.ggml.${flag}`) ?? fallback) ? metadata.count(`tokenizer.ggml.${name}`) : undefined;
  const [bos, eos] = [frame("add_bos_token", "bos_token_id", addBos), frame("add_eos_token", "eos_token_id", false)];
  if (bos === undefined && eos === undefined) return null;
  const special = (id: number | undefined): Json[] =>
    id === undefined ? [] : [{ SpecialToken: { id: tokens[id] ?? "", type_id: 0 } }];
  const used = [bos, eos].filter((id) => id !== undefined);
  return {
    type: "TemplateProcessing",
    single: [...special(bos), { Sequence: { id: "A", type_id: 0 } }, ...special(eos)],
    pair: [
      ...special(bos),
      { Sequence: { id: "A", type_id: 0 } },
      { Sequence: { id: "B", type_id: 0 } },
      ...special(eos),
    ],
    special_tokens: Object.fromEntries(
      used.map((id) => [tokens[id] ?? "", { id: tokens[id] ?? "", ids: [id], tokens: [tokens[id] ?? ""] }]),
    ),
  };
}

function toByteLevel(metadata: Metadata, vocabulary: Vocabulary): Json {
  const pre = toPreTokenizer(metadata.path, metadata.text("tokenizer.ggml.pre") ?? "default");
  const key = "tokenizer.ggml.merges";
  // "a b"; a piece may begin with the space's own spelling, never with a space.
  const merges = metadata.required(key, metadata.texts(key)).map((line) => {
    const at = line.indexOf(" ", 1);
    return [line.slice(0, at), line.slice(at + 1)];
  });
  return {
    normalizer: pre.normalizer,
    pre_tokenizer: pre.pre_tokenizer,
    post_processor: toPostProcessor(metadata, vocabulary, pre.addBos),
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges,
      vocab: vocabulary.ids,
      merges,
    },
  };
}

/**
 * SentencePiece merges by score and has no list of merges: all pairs that make a token, best token first, pairs of one
 * token by the ids of their parts (`generate_merges` of transformers' `convert_slow_tokenizer.py`).
 */
function toMerges({ tokens, ids }: Vocabulary, scores: readonly number[]): [string, string][] {
  const made: { readonly pair: [string, string]; readonly score: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    const characters = [...token];
    const pairs: [string, string][] = [];
    for (let at = 1, left = characters[0] ?? ""; at < characters.length; left += characters[at]!, at++) {
      const right = token.slice(left.length);
      if (ids[left] !== undefined && ids[right] !== undefined) pairs.push([left, right]);
    }
    pairs.sort((a, b) => ids[a[0]]! - ids[b[0]]! || ids[a[1]]! - ids[b[1]]!);
    for (const pair of pairs) made.push({ pair, score: scores[id] ?? 0 });
  }
  return made.sort((a, b) => b.score - a.score).map(({ pair }) => pair);
}

function toSentencePiece(metadata: Metadata, vocabulary: Vocabulary): Json {
  const key = "tokenizer.ggml.scores";
  const scores = metadata.required(key, metadata.numbers(key));
  const prefix = metadata.flag("tokenizer.ggml.add_space_prefix") ?? true;
  const replace = (from: string, to: string): Json => ({ type: "Replace", pattern: { String: from }, content: to });
  const unknown = metadata.count("tokenizer.ggml.unknown_token_id");
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [...(prefix ? [{ type: "Prepend", prepend: "▁" }] : []), replace(" ", "▁")],
    },
    pre_tokenizer: null,
    post_processor: toPostProcessor(metadata, vocabulary, true),
    decoder: {
      type: "Sequence",
      decoders: [
        replace("▁", " "),
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unknown === undefined ? null : (vocabulary.tokens[unknown] ?? null),
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: vocabulary.ids,
      merges: toMerges(vocabulary, scores),
    },
  };
}

const SPECIAL_NAMES = ["bos", "eos", "unknown", "padding"] as const;
const CONFIG_NAME = { bos: "bos_token", eos: "eos_token", unknown: "unk_token", padding: "pad_token" } as const;

/**
 * @throws GatewayError `unsupported` for a kind of tokenizer that is not known, `missing_field` or `invalid_value` naming
 *   the key of the metadata
 */
export function toTokenizerJson(header: GgufHeader): GgufTokenizer {
  const metadata = createMetadata(header);
  const kind = metadata.required("tokenizer.ggml.model", metadata.text("tokenizer.ggml.model"));
  const vocabulary = readVocabulary(metadata);
  if (kind !== "gpt2" && kind !== "llama") {
    throw new GatewayError(
      "unsupported",
      `${metadata.path}: tokenizer.ggml.model ${showValue(kind)} is not supported; supported: gpt2, llama. ` +
        "Serve the model's Hugging Face directory instead, or token ids alone with --skip-tokenizer-init.",
      { param: "tokenizer.ggml.model" },
    );
  }
  const body = kind === "gpt2" ? toByteLevel(metadata, vocabulary) : toSentencePiece(metadata, vocabulary);
  const special = SPECIAL_NAMES.flatMap((name) => {
    const id = metadata.count(`tokenizer.ggml.${name}_token_id`);
    const token = id === undefined ? undefined : vocabulary.tokens[id];
    return token === undefined ? [] : [[CONFIG_NAME[name], token]];
  });
  return {
    tokenizerJson: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: toAddedTokens(vocabulary),
      ...body,
    },
    tokenizerConfig: Object.fromEntries(special),
  };
}
