/**
 * The items of a JSON array and the members of a JSON object as places in their bytes, so that a document can be cut
 * apart and put together again with every number as it was written. Decodes nothing but the names of members.
 */
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  Cursor,
  Malformed,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from "./json-cursor.ts";

/** Bytes `start` to `end`, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function skipValue(cursor: Cursor): Span {
  const first = cursor.skipSpace();
  const start = cursor.position;
  if (first === QUOTE) cursor.skipString();
  else if (first === OPEN_BRACE || first === OPEN_BRACKET) cursor.skipContainer();
  else cursor.skipWord();
  return { start, end: cursor.position };
}

/** Walks over what stands between two brackets; `item` reads one entry. */
function walk(
  bytes: Uint8Array,
  { start, end }: Span,
  open: number,
  close: number,
  item: (cursor: Cursor) => void,
): void {
  const cursor = new Cursor(end === bytes.length ? bytes : bytes.subarray(0, end));
  cursor.position = start;
  try {
    if (cursor.skipSpace() !== open) throw new Malformed("another kind of value", cursor.position);
    cursor.position += 1;
    if (cursor.skipSpace() === close) return;
    for (;;) {
      item(cursor);
      const next = cursor.skipSpace();
      cursor.position += 1;
      if (next === close) return;
      if (next !== COMMA) throw new Malformed("a comma is missing", cursor.position - 1);
    }
  } catch (thrown) {
    if (thrown instanceof Malformed) throw new SyntaxError(`${thrown.reason} (byte ${thrown.offset})`);
    throw thrown;
  }
}

/**
 * Where the items of an array lie. Throws SyntaxError when the span holds no array.
 *
 * @example
 * ```ts
 * import { readItems } from "./json-spans.ts";
 * const bytes = new TextEncoder().encode('["a,b", [1.0, 2]]');
 * const texts = readItems(bytes, { start: 0, end: bytes.length }).map(({ start, end }) => new TextDecoder().decode(bytes.subarray(start, end)));
 * if (texts.join("|") !== '"a,b"|[1.0, 2]') throw new Error(texts.join("|"));
 * ```
 */
export function readItems(bytes: Uint8Array, span: Span): Span[] {
  const items: Span[] = [];
  walk(bytes, span, OPEN_BRACKET, CLOSE_BRACKET, (cursor) => items.push(skipValue(cursor)));
  return items;
}

/** Where the values of an object's members lie, by name; of equal names the last. Throws SyntaxError when the span holds no object. */
export function readMembers(bytes: Uint8Array, span: Span): Map<string, Span> {
  const members = new Map<string, Span>();
  walk(bytes, span, OPEN_BRACE, CLOSE_BRACE, (cursor) => {
    if (cursor.skipSpace() !== QUOTE) throw new Malformed("a name is missing", cursor.position);
    const name = skipValue(cursor);
    if (cursor.skipSpace() !== COLON) throw new Malformed("a colon is missing", cursor.position);
    cursor.position += 1;
    const text = JSON.parse(decoder.decode(bytes.subarray(name.start, name.end))) as string;
    members.set(text, skipValue(cursor));
  });
  return members;
}
