/**
 * Reads the few top-level keys that routing needs out of a JSON object's bytes, without decoding or parsing the rest.
 * It must not validate what it skips: that is the upstream's work. It never refuses what `JSON.parse` accepts, and
 * what it reads of an accepted document is what `JSON.parse` would give (duplicate keys: the last one).
 */

import { CLOSE_BRACE, COLON, COMMA, Cursor, Malformed, OPEN_BRACE, OPEN_BRACKET, QUOTE, SHORT } from "./json-cursor.ts";

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
  /** False: only where its container lies. */
  readonly decoded: boolean;
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
  byName: ReadonlyMap<string, WantedKey<Key>>,
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
    const wanted = escaped
      ? byName.get(decodeScalar(bytes, start - 1, cursor.position) as string)
      : byLength.get(length)?.find((candidate) => sameBytes(bytes, start, candidate.bytes));
    if (cursor.skipSpace() !== COLON) throw new Malformed("a colon is missing", cursor.position);
    cursor.position += 1;
    const value = readValue(cursor, wanted?.decoded === true);
    if (wanted !== undefined) {
      if (value !== undefined) values[wanted.key] = value;
      else if (wanted.key in values) delete values[wanted.key];
    }
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
 * at the speed of a native byte search; nothing is allocated for what is skipped. Of the keys in `places` only
 * containers are told, and where they lie: a prompt may be a long text that nobody needs to decode.
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
  places: readonly Key[] = [],
): (bytes: Uint8Array) => JsonScan<Key> {
  const encoder = new TextEncoder();
  const byLength = new Map<number, WantedKey<Key>[]>();
  const byName = new Map<string, WantedKey<Key>>();
  for (const key of new Set([...keys, ...places])) {
    const bytes = encoder.encode(key);
    const wanted = { key, bytes, decoded: !places.includes(key) };
    byLength.set(bytes.length, [...(byLength.get(bytes.length) ?? []), wanted]);
    byName.set(key, wanted);
  }
  return (bytes) => {
    try {
      return { ok: true, values: scanObject(new Cursor(bytes), byLength, byName) };
    } catch (thrown) {
      if (thrown instanceof Malformed) return { ok: false, reason: thrown.reason, offset: thrown.offset };
      throw thrown;
    }
  };
}
