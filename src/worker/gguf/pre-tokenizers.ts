/**
 * How text is cut before byte-pair merges, by the name in `tokenizer.ggml.pre`: the regular expressions of llama.cpp
 * (`llama-vocab.cpp`) as pre-tokenizers of `tokenizer.json`. Knows no vocabulary.
 */
import { GatewayError, showValue } from "../../errors.ts";
import type { Json } from "../json-fields.ts";

interface PreTokenizer {
  readonly normalizer: Json | null;
  readonly pre_tokenizer: Json;
  /** A word that is a token as it stands is not merged from its pieces. */
  readonly ignoreMerges: boolean;
  /** Whether the beginning-of-text token is put in front where the file does not say. */
  readonly addBos: boolean;
}

const split = (pattern: string): Json => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});
const byteLevel = (useRegex: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const sequence = (...pretokenizers: readonly Json[]): Json => ({ type: "Sequence", pretokenizers });

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const REST = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const withDigits = (digits: string) => `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|${REST}`;

const GPT2: PreTokenizer = { normalizer: null, pre_tokenizer: byteLevel(true), ignoreMerges: false, addBos: false };
const SINGLE_DIGITS: PreTokenizer = {
  ...GPT2,
  pre_tokenizer: sequence({ type: "Digits", individual_digits: true }, byteLevel(true)),
};
const LLAMA3: PreTokenizer = {
  normalizer: null,
  pre_tokenizer: sequence(split(withDigits("\\p{N}{1,3}")), byteLevel(false)),
  ignoreMerges: true,
  addBos: true,
};
const QWEN2: PreTokenizer = {
  normalizer: { type: "NFC" },
  pre_tokenizer: sequence(split(withDigits("\\p{N}")), byteLevel(false)),
  ignoreMerges: false,
  addBos: false,
};
/** Mistral's Tekken: capitals and small letters apart. */
const TEKKEN: PreTokenizer = {
  normalizer: null,
  pre_tokenizer: sequence(
    split(
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|" +
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|" +
        "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    ),
    byteLevel(false),
  ),
  ignoreMerges: true,
  addBos: true,
};

const BY_NAME: Readonly<Record<string, PreTokenizer>> = {
  "gpt-2": GPT2,
  smollm: SINGLE_DIGITS,
  starcoder: SINGLE_DIGITS,
  refact: SINGLE_DIGITS,
  "llama-bpe": LLAMA3,
  llama3: LLAMA3,
  "llama-v3": LLAMA3,
  qwen2: QWEN2,
  "deepseek-r1-qwen": QWEN2,
  tekken: TEKKEN,
};

/**
 * @param name `tokenizer.ggml.pre`
 * @throws GatewayError `unsupported` naming it and those that are known
 */
export function toPreTokenizer(path: string, name: string): PreTokenizer {
  const known = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (known !== undefined) return known;
  throw new GatewayError(
    "unsupported",
    `${path}: tokenizer.ggml.pre ${showValue(name)} is not supported; supported: ${Object.keys(BY_NAME).join(", ")}. ` +
      "Serve the model's Hugging Face directory instead, or token ids alone with --skip-tokenizer-init.",
    { param: "tokenizer.ggml.pre" },
  );
}
