/**
 * Named classes of regular expressions. ECMAScript, Python and Rust read them differently beyond ASCII: "narrow" is what all of
 * them take, "wide" what one of them may take (for texts that must not be).
 */
import { type CharSet, charsOf, complement, subtract, toCharSet, union } from "./charset.ts";

const DIGIT = toCharSet([[0x30, 0x39]]);
const WORD = toCharSet([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
const SPACE = charsOf("\t\n\v\f\r ");
/** White space for Python alone. */
const SEPARATORS = toCharSet([[0x1c, 0x1f]]);
const BEYOND = toCharSet([[0x80, 0x10ffff]]);
const LINE_ENDS = charsOf("\n\r\u2028\u2029\u0085");

export const ANY = complement([]);
export const dot = (wide: boolean): CharSet => (wide ? ANY : complement(LINE_ENDS));

/** `letter` is one of d, w, s, D, W, S; undefined for another. */
export function namedClass(letter: string, wide: boolean): CharSet | undefined {
  const named: Readonly<Record<string, CharSet>> = { d: DIGIT, w: WORD, s: wide ? union(SPACE, SEPARATORS) : SPACE };
  const own = named[letter];
  if (own !== undefined) return wide ? union(own, BEYOND) : own;
  const others: Readonly<Record<string, CharSet>> = { D: DIGIT, W: WORD, S: wide ? SPACE : union(SPACE, SEPARATORS) };
  const other = others[letter];
  if (other === undefined) return undefined;
  return wide ? complement(other) : subtract(complement(other), BEYOND);
}

/** All but the members; `named`: a class by name is among them, whose members beyond ASCII nobody knows. */
export const allBut = (members: CharSet, named: boolean, wide: boolean): CharSet =>
  named && !wide ? subtract(complement(members), BEYOND) : complement(members);
