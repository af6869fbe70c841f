/** Offsets of tokens in the original text, from what the model took of each piece (tokenizers 0.23, `into_encoding`). */
import { byteLength, type Model, SAME } from "./bpe.ts";
import type { Piece } from "./split.ts";
import { type Offset, offsetOf } from "./trace.ts";

/** A token and its place. */
export interface PlacedToken {
  readonly id: number;
  /** Its spelling; an added token's text with the white space that it took. */
  readonly text: string;
  /** In code points of the original. */
  readonly offset: Offset;
}

/** For each byte of a text, and the end: the UTF-16 unit that it belongs to, and where that character ends. */
function unitsOf(text: string): { readonly starts: readonly number[]; readonly ends: readonly number[] } {
  const starts: number[] = [];
  const ends: number[] = [0];
  let unit = 0;
  for (const c of text) {
    for (let byte = byteLength(c); byte > 0; byte -= 1) {
      starts.push(unit);
      ends.push(unit + c.length);
    }
    unit += c.length;
  }
  return { starts, ends };
}

/** Runs the model over a piece and appends its tokens with their places. A part of a character has the whole one's place. */
export function placeTokens(
  piece: Piece,
  model: Model,
  stringOf: (id: number, taken: string) => string,
  out: PlacedToken[],
): void {
  const { text, trace = { from: [], to: [] } } = piece;
  const ids: number[] = [];
  const lengths: number[] = [];
  model(text, ids, lengths);
  const { starts, ends } = unitsOf(text);
  let [start, end] = [0, 0];
  for (const [index, id] of ids.entries()) {
    const length = lengths[index] ?? 0;
    if (length !== SAME) [start, end] = [end, end + length];
    const [from, to] = [starts[start] ?? text.length, ends[end] ?? text.length];
    out.push({ id, text: stringOf(id, text.slice(from, to)), offset: offsetOf(trace, from, to) });
  }
}

const LEADING = /^[\p{White_Space}\u0120]+/u;
const TRAILING = /[\p{White_Space}\u0120]+$/u;

const points = (found: RegExpExecArray | null): number => (found === null ? 0 : Array.from(found[0]).length);

/** Takes white space at the sides of tokens off their places, as the post-processors `ByteLevel` and `RobertaProcessing` do. */
export function trimSpaces(items: readonly PlacedToken[], addPrefixSpace: boolean): readonly PlacedToken[] {
  return items.map((item, index) => {
    const [from, to] = item.offset;
    let leading = points(LEADING.exec(item.text));
    const trailing = points(TRAILING.exec(item.text));
    // A single space at the start was put there by the pre-tokenizer.
    if ((index === 0 || from === 0) && addPrefixSpace && leading === 1) leading = 0;
    const start = Math.min(from + leading, to);
    const end = trailing > 0 && to >= trailing ? Math.max(to - trailing, start) : to;
    return { ...item, offset: [start, end] };
  });
}
