/** Sets of Unicode code points as sorted ranges, and their way into UTF-8 bytes. Surrogates are never in a set. */
import type { GrammarBuilder, GrammarNode } from "./nodes.ts";

/** Inclusive; sorted, not touching each other. */
export type CharSet = readonly (readonly [number, number])[];

const LAST = 0x10ffff;

/** Sorts and joins. Surrogates are cut out: UTF-8 has none. */
export function toCharSet(ranges: Iterable<readonly [number, number]>): CharSet {
  const cut: [number, number][] = [];
  for (const [from, to] of ranges) {
    if (from < 0xd800) cut.push([from, Math.min(to, 0xd7ff)]);
    if (to > 0xdfff) cut.push([Math.max(from, 0xe000), to]);
  }
  cut.sort((a, b) => a[0] - b[0]);
  const out: [number, number][] = [];
  for (const [from, to] of cut) {
    if (to < from) continue;
    const last = out.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

export const union = (...sets: readonly CharSet[]): CharSet => toCharSet(sets.flat());

/** All code points but these. */
export function complement(set: CharSet): CharSet {
  const out: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) out.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST) out.push([next, LAST]);
  return toCharSet(out);
}

/** Those of `set` that are not in `other`. */
export function subtract(set: CharSet, other: CharSet): CharSet {
  return complement(union(complement(set), other));
}

export const hasChar = (set: CharSet, code: number): boolean => set.some(([from, to]) => code >= from && code <= to);

export const charsOf = (text: string): CharSet =>
  toCharSet(Array.from(text, (character) => [character.codePointAt(0) ?? 0, character.codePointAt(0) ?? 0] as const));

/** Code points below which UTF-8 takes one, two, three bytes. */
const LENGTH_ENDS = [0x7f, 0x7ff, 0xffff, LAST];

const encode = (code: number): readonly number[] => [...new TextEncoder().encode(String.fromCodePoint(code))];

/** All texts of one length between two encoded code points of that length. */
function between(builder: GrammarBuilder, low: readonly number[], high: readonly number[]): GrammarNode {
  const [first, ...lowRest] = low as [number, ...number[]];
  const [last, ...highRest] = high as [number, ...number[]];
  if (lowRest.length === 0) return builder.range(first, last);
  const all = (count: number): GrammarNode =>
    builder.sequence(Array.from({ length: count }, () => builder.range(0x80, 0xbf)));
  if (first === last) return builder.sequence([builder.oneOf([first]), between(builder, lowRest, highRest)]);
  const lowFull = lowRest.every((byte) => byte === 0x80);
  const highFull = highRest.every((byte) => byte === 0xbf);
  const parts: GrammarNode[] = [];
  const from = lowFull ? first : first + 1;
  const to = highFull ? last : last - 1;
  if (!lowFull) {
    const top = lowRest.map(() => 0xbf);
    parts.push(builder.sequence([builder.oneOf([first]), between(builder, lowRest, top)]));
  }
  if (from <= to) parts.push(builder.sequence([builder.range(from, to), all(lowRest.length)]));
  if (!highFull) {
    const bottom = highRest.map(() => 0x80);
    parts.push(builder.sequence([builder.oneOf([last]), between(builder, bottom, highRest)]));
  }
  return builder.choice(parts);
}

/** One character of the set, in UTF-8. */
export function charNode(builder: GrammarBuilder, set: CharSet): GrammarNode {
  const ascii: number[] = [];
  const parts: GrammarNode[] = [];
  for (const [from, to] of set) {
    for (let code = from; code <= Math.min(to, 0x7f); code += 1) ascii.push(code);
    let start = Math.max(from, 0x80);
    for (const end of LENGTH_ENDS.slice(1)) {
      if (start > to || start > end) continue;
      parts.push(between(builder, encode(start), encode(Math.min(to, end))));
      start = end + 1;
    }
  }
  if (ascii.length > 0) parts.unshift(builder.oneOf(ascii));
  return builder.choice(parts);
}
