/**
 * What bytes a vocabulary entry stands for. Byte-level vocabularies (GPT-2 and its kin) spell each byte as one printable
 * character; SentencePiece-like ones spell loose bytes as `<0xNN>` and a space as U+2581. Pure tables, no tokenizer here.
 */

/** How a vocabulary spells bytes. */
export type ByteSpelling = "byte-level" | "byte-fallback" | "plain";

const encoder = new TextEncoder();

/** GPT-2's `bytes_to_unicode` (openai/gpt-2 encoder.py), inverted: code point of the character → byte. */
const BYTE_OF_CHARACTER: ReadonlyMap<number, number> = (() => {
  const table = new Map<number, number>();
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 256;
  for (let byte = 0; byte < 256; byte += 1) {
    if (printable(byte)) table.set(byte, byte);
    else {
      table.set(next, byte);
      next += 1;
    }
  }
  return table;
})();

/** The byte that `<0xNN>` spells, or undefined for any other token. */
export function toFallbackByte(token: string): number | undefined {
  const match = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
}

/**
 * The bytes of one vocabulary entry. Added tokens are read like any other, as the reference's decoders do.
 *
 * @example
 * ```ts
 * import { toTokenBytes } from "./token-bytes.ts";
 * const bytes = toTokenBytes("Ġa", "byte-level");
 * if (bytes[0] !== 0x20 || bytes[1] !== 0x61) throw new Error("table changed");
 * ```
 */
export function toTokenBytes(token: string, spelling: ByteSpelling): Uint8Array {
  if (spelling === "byte-level") {
    const bytes: number[] = [];
    for (const character of token) {
      const byte = BYTE_OF_CHARACTER.get(character.codePointAt(0) ?? -1);
      // As the reference does: a token with a foreign character is taken as plain text.
      if (byte === undefined) return encoder.encode(token);
      bytes.push(byte);
    }
    return Uint8Array.from(bytes);
  }
  const byte = spelling === "byte-fallback" ? toFallbackByte(token) : undefined;
  if (byte !== undefined) return Uint8Array.of(byte);
  return encoder.encode(token.replaceAll("\u2581", " "));
}

const CHARACTER_OF_BYTE: readonly string[] = (() => {
  const table: string[] = [];
  for (const [code, byte] of BYTE_OF_CHARACTER) table[byte] = String.fromCodePoint(code);
  return table;
})();

/** Text as a byte-level vocabulary spells it: one printable character per UTF-8 byte. */
export function toByteCharacters(text: string): string {
  let out = "";
  for (const byte of encoder.encode(text)) out += CHARACTER_OF_BYTE[byte] ?? "";
  return out;
}
