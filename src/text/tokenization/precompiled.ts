/**
 * SentencePiece's compiled character map (`precompiled_charsmap`): a double-array trie over UTF-8 bytes (Darts) and a pool
 * of replacement texts. Format: google/sentencepiece, `normalizer.cc`; walk as in the Rust crate `spm_precompiled` 0.1.
 */
import { GatewayError } from "../../errors.ts";

const SEGMENTER = new Intl.Segmenter("und", { granularity: "grapheme" });
const encoder = new TextEncoder();

/** A piece of the text and what it becomes. */
export type Replacement = readonly [old: string, now: string];

/** Builds the normaliser from base64. Throws GatewayError `unsupported` for a map that cannot be read. */
export function createPrecompiled(base64: string): (text: string) => string {
  const replacements = createReplacements(base64);
  return (text) => {
    let out = "";
    for (const [, now] of replacements(text)) out += now;
    return out;
  };
}

/** As `createPrecompiled`, piece by piece: what was there and what it becomes. The pieces cover the text. */
export function createReplacements(base64: string): (text: string) => Iterable<Replacement> {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch (cause) {
    throw new GatewayError("unsupported", "The tokenizer's precompiled_charsmap is no base64.", { cause });
  }
  if (bytes.length === 0) return (text) => [[text, text]];
  const view = new DataView(bytes.buffer);
  const size = bytes.length >= 4 ? view.getUint32(0, true) : Number.POSITIVE_INFINITY;
  if (size % 4 !== 0 || size + 4 > bytes.length) {
    throw new GatewayError("unsupported", "The tokenizer's precompiled_charsmap is cut off.");
  }
  const units = Uint32Array.from({ length: size / 4 }, (_, index) => view.getUint32(4 + index * 4, true));
  const pool = bytes.subarray(4 + size);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  /** The replacement of the shortest prefix that has one; the reference takes the first result. */
  const lookup = (key: Uint8Array): string | undefined => {
    let at = 0;
    let unit = units[0] ?? 0;
    at ^= offsetOf(unit);
    for (const byte of key) {
      if (byte === 0) return undefined;
      at ^= byte;
      unit = units[at] ?? 0;
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      at ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1) {
        const place = (units[at] ?? 0) & 0x7fffffff;
        const end = pool.indexOf(0, place);
        return decoder.decode(pool.subarray(place, end < 0 ? pool.length : end));
      }
    }
    return undefined;
  };
  return function* (text) {
    for (const { segment } of SEGMENTER.segment(text)) {
      const whole =
        segment.length < 6 || encoder.encode(segment).length < 6 ? lookup(encoder.encode(segment)) : undefined;
      if (whole !== undefined) yield [segment, whole];
      else for (const c of segment) yield [c, lookup(encoder.encode(c)) ?? c];
    }
  };
}
