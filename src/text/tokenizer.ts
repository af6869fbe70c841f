/**
 * A Hugging Face tokenizer as a value: text → ids, ids → text, and the bytes of each token. Encoding is
 * `@huggingface/tokenizers`; decoding follows the Rust library (tokenizers 0.23) also for broken UTF-8.
 * Reads no file: the checkpoint room hands over the parsed JSON.
 */
import { Tokenizer as Encoder } from "@huggingface/tokenizers";
import { GatewayError } from "../errors.ts";
import { type ByteSpelling, toFallbackByte, toTokenBytes } from "./token-bytes.ts";

export interface Tokenizer {
  /** One more than the greatest id that has a token. The model may have more rows (padding). */
  readonly vocabSize: number;
  /** True when tokens are pieces of one byte string, so that text can be decoded byte by byte. */
  readonly byteLevel: boolean;
  /** `bos_token`, `eos_token`, … as tokenizer_config.json names them: variables of the chat template. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** `add_special_tokens` as in transformers: whether the post-processor adds bos, eos and the like. */
  encode(text: string, addSpecialTokens: boolean): number[];
  /** Unknown ids leave nothing. Broken UTF-8 becomes U+FFFD. Spaces are not cleaned up. */
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
  /** The vocabulary's own spelling ("Ġa", "▁a", "<0x0A>"); "" for an id without a token. */
  tokenString(id: number): string;
  tokenBytes(id: number): Uint8Array;
  /** The id of a token, by its vocabulary spelling. */
  tokenId(token: string): number | undefined;
  isSpecial(id: number): boolean;
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

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

/** Runs of `<0xNN>` become their text when they are UTF-8, else one U+FFFD per byte (tokenizers' ByteFallback). */
function joinFallbackBytes(tokens: readonly string[]): string[] {
  const out: string[] = [];
  let run: number[] = [];
  const flush = (): void => {
    if (run.length === 0) return;
    try {
      out.push(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(run)));
    } catch {
      for (const _ of run) out.push("\ufffd");
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = toFallbackByte(token);
    if (byte !== undefined) run.push(byte);
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
}

/** Lone surrogates cannot be UTF-8; the reference never sees them. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

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
  let encoder: Encoder;
  try {
    // Only what the encoder needs: further keys of the config switch on clean-ups that the fast tokenizers do not have.
    encoder = new Encoder(source, { eos_token: specialTokens.eos_token, clean_up_tokenization_spaces: false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError("unsupported", `tokenizer.json cannot be used: ${reason}`, { cause });
  }
  const added = encoder.get_added_tokens_decoder();
  const vocabulary = encoder.get_vocab(true);
  const strings: string[] = [];
  for (const [token, id] of vocabulary) strings[id] = token;
  for (const [id, token] of added) strings[id] = token.content;

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
    const made = toTokenBytes(token, spelling, added.has(id));
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
    const ready = spelling === "byte-fallback" ? joinFallbackBytes(tokens) : tokens;
    return encoder.decoder === null ? ready.join(" ") : encoder.decoder.decode(ready);
  };

  return {
    vocabSize: strings.length,
    byteLevel,
    specialTokens,
    encode: (text, addSpecialTokens) => encoder.encode(wellFormed(text), { add_special_tokens: addSpecialTokens }).ids,
    decode,
    tokenString: (id) => strings[id] ?? "",
    tokenBytes,
    tokenId: (token) => encoder.token_to_id(token),
    isSpecial: (id) => special.has(id),
  };
}
