/**
 * A Hugging Face tokenizer as a value: text → ids, ids → text, and the bytes of each token. Both ways follow the Rust
 * library (tokenizers 0.23), also for broken UTF-8; the parts of the pipeline are in `tokenization/`.
 * Reads no file: the checkpoint room hands over the parsed JSON.
 */
import { type ByteSpelling, toFallbackByte, toTokenBytes } from "./token-bytes.ts";
import { type AddedToken, toAddedToken, toAddedTokens } from "./tokenization/added.ts";
import { createDecoder } from "./tokenization/decode.ts";
import { createEncoder, type Encoded, readVocabulary } from "./tokenization/encoder.ts";
import { createNormalizer } from "./tokenization/normalize.ts";
import { type Json, record } from "./tokenization/parts.ts";

export type { Encoded } from "./tokenization/encoder.ts";

export interface Tokenizer {
  /** One more than the greatest id that has a token. The model may have more rows (padding). */
  readonly vocabSize: number;
  /** True when tokens are pieces of one byte string, so that text can be decoded byte by byte. */
  readonly byteLevel: boolean;
  /** `bos_token`, `eos_token`, … as tokenizer_config.json names them: variables of the chat template. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** `add_special_tokens` as in transformers: whether the post-processor adds bos, eos and the like. */
  encode(text: string, addSpecialTokens: boolean): number[];
  /** The same ids, and where in the text each came from, in code points. Slower. */
  encodeWithOffsets(text: string, addSpecialTokens: boolean): Encoded;
  /**
   * For whole texts: as `decode`, and spaces before punctuation are taken out where tokenizer_config.json asks for it
   * (transformers 5: never for BPE, unless it insists).
   */
  decodeClean(ids: readonly number[], skipSpecialTokens: boolean): string;
  /** Unknown ids leave nothing. Broken UTF-8 becomes U+FFFD. Spaces are not cleaned up. */
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
  /** The vocabulary's own spelling ("Ġa", "▁a", "<0x0A>"); "" for an id without a token. */
  tokenString(id: number): string;
  tokenBytes(id: number): Uint8Array;
  /** The id of a token, by its vocabulary spelling. */
  tokenId(token: string): number | undefined;
  isSpecial(id: number): boolean;
  /** Does this token stand for one loose byte (`<0x0A>`)? A run of them is text or U+FFFD as a whole. */
  isLooseByte(id: number): boolean;
}

/** A special token is written as a string or as `{content, …}`. */
const tokenText = (value: unknown): string | undefined => {
  const text = typeof value === "string" ? value : record(value).content;
  return typeof text === "string" ? text : undefined;
};

const SPECIAL_NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** Does a decoder, or any part of it, have this type? */
function hasDecoder(decoder: unknown, type: string): boolean {
  const { type: own, decoders } = record(decoder);
  return own === type || (Array.isArray(decoders) && decoders.some((inner) => hasDecoder(inner, type)));
}

/** Lone surrogates cannot be UTF-8; the reference never sees them. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

/** transformers' `clean_up_tokenization`, in its order. */
const CLEANED = [" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"];

const cleanUpSpaces = (text: string): string =>
  CLEANED.reduce((cleaned, from) => cleaned.replaceAll(from, from.trim()), text);

/** Greatest id that is believed: the largest known vocabularies have some 260,000. */
const ID_LIMIT = 16_777_216;

/** The added tokens by id: those of tokenizer.json, then those that only tokenizer_config.json names. */
function collectAdded(source: Json, config: Json, vocabulary: ReadonlyMap<string, number>): Map<number, AddedToken> {
  const added = new Map<number, AddedToken>();
  const known = new Set<string>();
  const add = (token: AddedToken | undefined): void => {
    if (token === undefined || known.has(token.content)) return;
    const id = vocabulary.get(token.content) ?? token.id;
    if (id < 0 || id >= ID_LIMIT) return;
    known.add(token.content);
    added.set(id, { ...token, id });
  };
  for (const token of toAddedTokens(source.added_tokens)) add(token);
  for (const [id, entry] of Object.entries(record(config.added_tokens_decoder))) add(toAddedToken(entry, Number(id)));
  return added;
}

/**
 * Builds a tokenizer from the parsed `tokenizer.json` and `tokenizer_config.json` ({} when there is none).
 * Throws GatewayError `unsupported` when the tokenizer has a part that is not known.
 */
export function createTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown): Tokenizer {
  const source = record(tokenizerJson);
  const config = record(tokenizerConfig);
  const specialTokens: Record<string, string> = {};
  for (const name of SPECIAL_NAMES) {
    const text = tokenText(config[name]);
    if (text !== undefined) specialTokens[name] = text;
  }
  const vocabulary = readVocabulary(record(source.model));
  const added = collectAdded(source, config, vocabulary);
  const encoder = createEncoder(source, vocabulary, [...added.values()]);
  const decoder = createDecoder(source.decoder);
  const normalize = createNormalizer(source.normalizer);
  const strings: string[] = [];
  const ids = new Map(vocabulary);
  for (const [token, id] of vocabulary) if (id < ID_LIMIT) strings[id] = token;
  for (const [id, token] of added) {
    // A token that is looked for in normalised text is spelled so too (tokenizers 0.23).
    strings[id] = token.normalized && normalize !== null ? normalize(token.content) : token.content;
    ids.set(token.content, id);
  }

  const extra = Array.isArray(config.additional_special_tokens) ? config.additional_special_tokens.map(tokenText) : [];
  const marked = new Set([...Object.values(specialTokens), ...extra]);
  const special = new Set<number>();
  for (const [id, token] of added) if (token.special || marked.has(token.content)) special.add(id);
  for (const [id, entry] of Object.entries(record(config.added_tokens_decoder))) {
    if (record(entry).special === true) special.add(Number(id));
  }

  const byteLevel = hasDecoder(source.decoder, "ByteLevel");
  const spelling: ByteSpelling = byteLevel
    ? "byte-level"
    : hasDecoder(source.decoder, "ByteFallback")
      ? "byte-fallback"
      : "plain";
  const bytes: (Uint8Array | undefined)[] = [];
  const none = new Uint8Array(0);
  const tokenBytes = (id: number): Uint8Array => {
    const known = bytes[id];
    if (known !== undefined) return known;
    const token = strings[id];
    if (token === undefined) return none;
    const made = toTokenBytes(token, spelling);
    bytes[id] = made;
    return made;
  };

  const decode = (ids: readonly number[], skipSpecialTokens: boolean): string => {
    const kept = ids.filter((id) => strings[id] !== undefined && !(skipSpecialTokens && special.has(id)));
    if (kept.length === 0) return "";
    if (byteLevel) {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      let text = "";
      for (const id of kept) text += decoder.decode(tokenBytes(id), { stream: true });
      return text + decoder.decode();
    }
    const tokens = kept.map((id) => strings[id] ?? "");
    return decoder === null ? tokens.join(" ") : decoder(tokens).join("");
  };

  const insists = config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true;
  const cleans = config.clean_up_tokenization_spaces === true && (record(source.model).type !== "BPE" || insists);

  return {
    vocabSize: strings.length,
    byteLevel,
    specialTokens,
    encode: (text, addSpecialTokens) => encoder.encode(wellFormed(text), addSpecialTokens),
    encodeWithOffsets: (text, addSpecialTokens) => encoder.encodeWithOffsets(wellFormed(text), addSpecialTokens),
    decode,
    decodeClean: (ids, skipSpecialTokens) => {
      const text = decode(ids, skipSpecialTokens);
      return cleans ? cleanUpSpaces(text) : text;
    },
    tokenString: (id) => strings[id] ?? "",
    tokenBytes,
    tokenId: (token) => ids.get(token),
    isSpecial: (id) => special.has(id),
    isLooseByte: (id) => spelling === "byte-fallback" && toFallbackByte(strings[id] ?? "") !== undefined,
  };
}
