/**
 * Reads the few top-level keys that routing needs out of a JSON object's bytes, without decoding or parsing the rest.
 * It must not validate what it skips: that is the upstream's work. It never refuses what `JSON.parse` accepts, and
 * what it reads of an accepted document is what `JSON.parse` would give (duplicate keys: the last one).
 */

/** Where a nested value lies in the bytes: `end` is exclusive. */
export interface JsonSpan {
  readonly kind: "object" | "array";
  readonly start: number;
  readonly end: number;
}

/** Scalars are decoded; containers stay where they are. */
export type ScannedValue = string | number | boolean | null | JsonSpan;

/** What was found, or why the bytes are no JSON object. */
export type JsonScan<Key extends string> =
  | { readonly ok: true; readonly values: { readonly [key in Key]?: ScannedValue } }
  /** Not a JSON object. `offset` is where that became clear, in bytes. */
  | { readonly ok: false; readonly reason: string; readonly offset: number };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Deeper than any request; vLLM's own parser stops at 200. Bounds the memory of the bracket stack. */
const DEPTH_LIMIT = 1024;

/** Bytes looked at one by one before a native search is worth its call. */
const SHORT = 24;

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

class Malformed {
  readonly reason: string;
  readonly offset: number;
  constructor(reason: string, offset: number) {
    this.reason = reason;
    this.offset = offset;
  }
}

/**
 * The bytes with a reading position. Knows for each structural byte its next place, so that every native search
 * starts where the last one ended: the whole scan is linear whatever the document holds.
 */
class Cursor {
  readonly bytes: Uint8Array;
  position = 0;
  #openBrace = -1;
  #closeBrace = -1;
  #openBracket = -1;
  #closeBracket = -1;
  #quote = -1;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  skipSpace(): number | undefined {
    const { bytes } = this;
    let at = this.position;
    while (isSpace(bytes[at])) at += 1;
    this.position = at;
    return bytes[at];
  }

  #next(byte: number, known: number, from: number): number {
    if (known >= from) return known;
    const found = this.bytes.indexOf(byte, from);
    return found === -1 ? this.bytes.length : found;
  }

  /** Position at the opening quote; afterwards behind the closing one. Returns whether a backslash may be inside. */
  skipString(): boolean {
    const { bytes } = this;
    const { length } = bytes;
    const start = this.position + 1;
    let escaped = false;
    let at = start;
    for (;;) {
      for (let near = at + SHORT; at < near && at < length; ) {
        const byte = bytes[at];
        if (byte === QUOTE) {
          this.position = at + 1;
          return escaped;
        }
        if (byte === BACKSLASH) {
          escaped = true;
          at += 2;
          near = at + SHORT;
        } else at += 1;
      }
      const end = at < length ? this.#next(QUOTE, this.#quote, at) : length;
      if (end >= length) throw new Malformed("a string is not closed", start - 1);
      this.#quote = end;
      // A run of backslashes before the quote: an odd one escapes it. `at` itself is known to be unescaped.
      let before = end - 1;
      while (before >= at && bytes[before] === BACKSLASH) before -= 1;
      escaped = true;
      at = end + 1;
      if ((end - before) % 2 === 1) break;
    }
    this.position = at;
    return escaped;
  }

  /** Position at `{` or `[`; afterwards behind the bracket that closes it. */
  skipContainer(): void {
    const { bytes } = this;
    const start = this.position;
    const closers: number[] = [];
    let at = start;
    for (;;) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.position = at;
        this.skipString();
        at = this.position;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (closers.length === DEPTH_LIMIT) throw new Malformed(`nested deeper than ${DEPTH_LIMIT}`, at);
        closers.push(byte + 2);
        at += 1;
      } else {
        if (closers.pop() !== byte) throw new Malformed("a bracket does not match the one it closes", at);
        at += 1;
        if (closers.length === 0) break;
      }
      at = this.#nextStructural(at);
      if (at >= bytes.length) throw new Malformed("an object or array is not closed", start);
    }
    this.position = at;
  }

  #nextStructural(from: number): number {
    const { bytes } = this;
    const near = Math.min(from + SHORT, bytes.length);
    for (let at = from; at < near; at += 1) {
      const byte = bytes[at] as number;
      if (byte === QUOTE || byte === OPEN_BRACE || byte === CLOSE_BRACE) return at;
      if (byte === OPEN_BRACKET || byte === CLOSE_BRACKET) return at;
    }
    this.#quote = this.#next(QUOTE, this.#quote, near);
    this.#openBrace = this.#next(OPEN_BRACE, this.#openBrace, near);
    this.#closeBrace = this.#next(CLOSE_BRACE, this.#closeBrace, near);
    this.#openBracket = this.#next(OPEN_BRACKET, this.#openBracket, near);
    this.#closeBracket = this.#next(CLOSE_BRACKET, this.#closeBracket, near);
    return Math.min(this.#quote, this.#openBrace, this.#closeBrace, this.#openBracket, this.#closeBracket);
  }

  /** Position at the first byte of a number or word; afterwards at the byte that delimits it. */
  skipWord(): void {
    const { bytes } = this;
    let at = this.position;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || isSpace(byte)) break;
    }
    if (at === this.position) throw new Malformed("a value is missing", at);
    this.position = at;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeScalar(bytes: Uint8Array, start: number, end: number): string | number | boolean | null {
  try {
    return JSON.parse(decoder.decode(bytes.subarray(start, end))) as string | number | boolean | null;
  } catch {
    throw new Malformed("a value is not valid JSON", start);
  }
}

/** Without backslash, of printable ASCII: the usual model name needs no decoder. `start` and `end` are inside the quotes. */
function decodePlain(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT) return decodeScalar(bytes, start - 1, end + 1) as string;
  let text = "";
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    if (byte < 0x20 || byte > 0x7e) return decodeScalar(bytes, start - 1, end + 1) as string;
    text += String.fromCharCode(byte);
  }
  return text;
}

interface WantedKey<Key> {
  readonly key: Key;
  readonly bytes: Uint8Array;
}

function sameBytes(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  for (let at = 0; at < wanted.length; at += 1) if (bytes[start + at] !== wanted[at]) return false;
  return true;
}

function readValue(cursor: Cursor, wanted: boolean): ScannedValue | undefined {
  const first = cursor.skipSpace();
  const start = cursor.position;
  if (first === QUOTE) {
    const escaped = cursor.skipString();
    if (!wanted) return undefined;
    return escaped
      ? decodeScalar(cursor.bytes, start, cursor.position)
      : decodePlain(cursor.bytes, start + 1, cursor.position - 1);
  }
  if (first === OPEN_BRACE || first === OPEN_BRACKET) {
    cursor.skipContainer();
    return { kind: first === OPEN_BRACE ? "object" : "array", start, end: cursor.position };
  }
  cursor.skipWord();
  return wanted ? decodeScalar(cursor.bytes, start, cursor.position) : undefined;
}

function scanObject<Key extends string>(
  cursor: Cursor,
  byLength: ReadonlyMap<number, readonly WantedKey<Key>[]>,
  byName: ReadonlyMap<string, Key>,
): { [key in Key]?: ScannedValue } {
  const { bytes } = cursor;
  const values: { [key in Key]?: ScannedValue } = {};
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) throw new Malformed("a byte order mark", 0);
  if (cursor.skipSpace() !== OPEN_BRACE) throw new Malformed("not a JSON object", cursor.position);
  cursor.position += 1;
  let next = cursor.skipSpace();
  let open = next !== CLOSE_BRACE;
  if (!open) cursor.position += 1;
  while (open) {
    if (next !== QUOTE) throw new Malformed("a key is missing", cursor.position);
    const start = cursor.position + 1;
    const escaped = cursor.skipString();
    const length = cursor.position - 1 - start;
    const key = escaped
      ? byName.get(decodeScalar(bytes, start - 1, cursor.position) as string)
      : byLength.get(length)?.find((candidate) => sameBytes(bytes, start, candidate.bytes))?.key;
    if (cursor.skipSpace() !== COLON) throw new Malformed("a colon is missing", cursor.position);
    cursor.position += 1;
    const value = readValue(cursor, key !== undefined);
    if (key !== undefined && value !== undefined) values[key] = value;
    next = cursor.skipSpace();
    if (next !== COMMA && next !== CLOSE_BRACE) {
      throw new Malformed("a comma or closing brace is missing", cursor.position);
    }
    cursor.position += 1;
    open = next === COMMA;
    if (open) next = cursor.skipSpace();
  }
  cursor.skipSpace();
  if (cursor.position !== bytes.length) throw new Malformed("something follows the object", cursor.position);
  return values;
}

/**
 * Makes a scanner for these top-level keys; make it once, use it for every request. Linear in the body, most of it
 * at the speed of a native byte search; nothing is allocated for what is skipped.
 *
 * @example
 * ```ts
 * import { createJsonScanner } from "./scan-json.ts";
 * const scan = createJsonScanner(["model", "stream"]);
 * const body = new TextEncoder().encode('{"prompt": [1, 2, 3], "mod\\u0065l": "tiny", "stream": true}');
 * const found = scan(body);
 * if (!found.ok || found.values.model !== "tiny" || found.values.stream !== true) throw new Error("scan failed");
 * ```
 */
export function createJsonScanner<const Key extends string>(
  keys: readonly Key[],
): (bytes: Uint8Array) => JsonScan<Key> {
  const encoder = new TextEncoder();
  const byLength = new Map<number, WantedKey<Key>[]>();
  for (const key of keys) {
    const bytes = encoder.encode(key);
    byLength.set(bytes.length, [...(byLength.get(bytes.length) ?? []), { key, bytes }]);
  }
  const byName = new Map<string, Key>(keys.map((key) => [key, key]));
  return (bytes) => {
    try {
      return { ok: true, values: scanObject(new Cursor(bytes), byLength, byName) };
    } catch (thrown) {
      if (thrown instanceof Malformed) return { ok: false, reason: thrown.reason, offset: thrown.offset };
      throw thrown;
    }
  };
}
