/** Normalizers of a `tokenizer.json` (tokenizers 0.23): text → text, before it is cut. */

import { toByteCharacters } from "../token-bytes.ts";
import { list, record, refusePart, text } from "./parts.ts";
import { toRegExp } from "./pattern.ts";
import { createPrecompiled } from "./precompiled.ts";

export type Normalizer = (text: string) => string;

/** Rust lowers character by character: no final sigma. */
export const lower: Normalizer = (value) =>
  value.includes("Σ") ? Array.from(value, (c) => c.toLowerCase()).join("") : value.toLowerCase();

/** Where a text begins and ends without the white space at its sides. */
export function sidesOf(value: string, left: boolean, right: boolean): readonly [start: number, end: number] {
  const kept = left ? value.replace(/^\p{White_Space}+/u, "") : value;
  const start = value.length - kept.length;
  return [start, start + (right ? kept.replace(/\p{White_Space}+$/u, "") : kept).length];
}

/** What Google's NMT normaliser drops and what it turns into a space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it drops
const NMT_DROP = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: and what it turns into a space
const NMT_SPACE = /[\u0009\u000a\u000c\u000d\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/gu;

const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bert(part: Readonly<Record<string, unknown>>): Normalizer {
  const lowercase = part.lowercase !== false;
  const accents = part.strip_accents ?? lowercase;
  return (value) => {
    let out = value;
    if (part.clean_text !== false) {
      out = out.replace(/[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu, "").replace(/\p{White_Space}/gu, " ");
    }
    if (part.handle_chinese_chars !== false) out = out.replace(CHINESE, " $& ");
    if (accents === true) out = out.normalize("NFD").replace(/\p{Mn}/gu, "");
    return lowercase ? lower(out) : out;
  };
}

/** Builds a normalizer; null when there is none. Throws GatewayError `unsupported` for an unknown type. */
export function createNormalizer(value: unknown): Normalizer | null {
  if (value === null || value === undefined) return null;
  const part = record(value);
  switch (part.type) {
    case "Sequence": {
      const steps = list(part.normalizers)
        .map(createNormalizer)
        .filter((step) => step !== null);
      return (input) => steps.reduce((out, step) => step(out), input);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = part.type;
      return (input) => input.normalize(form);
    }
    case "Lowercase":
      return lower;
    case "Strip":
      return (input) => input.slice(...sidesOf(input, part.strip_left !== false, part.strip_right !== false));
    case "StripAccents":
      return (input) => input.replace(/\p{M}/gu, "");
    case "Replace": {
      const pattern = toRegExp(part.pattern);
      const content = text(part.content);
      return (input) => input.replace(pattern, () => content);
    }
    case "Prepend": {
      const prefix = text(part.prepend);
      return (input) => (input === "" ? "" : prefix + input);
    }
    case "Nmt":
      return (input) => input.replace(NMT_DROP, "").replace(NMT_SPACE, " ");
    case "ByteLevel":
      return toByteCharacters;
    case "BertNormalizer":
      return bert(part);
    case "Precompiled":
      return createPrecompiled(text(part.precompiled_charsmap));
    default:
      return refusePart("normalizer", value);
  }
}
