/** The methods of Python's `str`. Positions are code points; white space and cases are Python's. */
import { charge } from "./budget.ts";
import { intOf } from "./numbers.ts";
import { toText } from "./text.ts";
import {
  Dict,
  fail,
  iterate,
  type Kwargs,
  pointLength,
  Tuple,
  toPoints,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts these separators as white space
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python counts these separators as line ends
const LINE_END = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/;

/** Is this one character white space to Python's `str.strip` and `str.split`? */
export const isSpace = (character: string): boolean => SPACE.test(character);

/** `text.strip(characters)`, or one side of it. */
export function strip(
  text: string,
  characters: string | null = null,
  side: "both" | "left" | "right" = "both",
): string {
  charge(text.length >>> 3);
  const set = characters === null ? undefined : new Set(characters);
  const loose = (c: string): boolean => (set === undefined ? SPACE.test(c) : set.has(c));
  let [start, end] = [0, text.length];
  const wide = set !== undefined && pointLength(characters ?? "") !== (characters ?? "").length;
  if (wide) {
    const points = toPoints(text);
    end = points.length;
    if (side !== "right") while (start < end && loose(points[start] ?? "")) start += 1;
    if (side !== "left") while (end > start && loose(points[end - 1] ?? "")) end -= 1;
    return points.slice(start, end).join("");
  }
  if (side !== "right") while (start < end && loose(text[start] ?? "")) start += 1;
  if (side !== "left") while (end > start && loose(text[end - 1] ?? "")) end -= 1;
  charge(start + (text.length - end));
  return text.slice(start, end);
}

/** `text.split(separator, limit)`; null splits at runs of white space. */
export function split(text: string, separator: string | null, limit = -1, fromRight = false): string[] {
  charge(text.length);
  if (separator === "") return fail("ValueError", "empty separator");
  const max = limit < 0 ? Number.POSITIVE_INFINITY : limit;
  const out: string[] = [];
  if (fromRight) {
    let rest = separator === null ? strip(text, null, "right") : text;
    while (out.length < max) {
      let at = -1;
      if (separator === null) {
        for (let index = rest.length - 1; index >= 0 && at < 0; index -= 1)
          if (SPACE.test(rest[index] ?? "")) at = index;
      } else at = rest.lastIndexOf(separator);
      if (at < 0) break;
      out.unshift(rest.slice(at + (separator?.length ?? 1)));
      rest = separator === null ? strip(rest.slice(0, at), null, "right") : rest.slice(0, at);
    }
    if (separator !== null || rest !== "") out.unshift(rest);
    if (separator === null && out.length > 0) out[0] = strip(out[0] ?? "", null, "left");
    return out[0] === "" && separator === null ? out.slice(1) : out;
  }
  let rest = separator === null ? strip(text, null, "left") : text;
  while (out.length < max) {
    const at = separator === null ? rest.search(SPACE) : rest.indexOf(separator);
    if (at < 0) break;
    out.push(rest.slice(0, at));
    rest = separator === null ? strip(rest.slice(at), null, "left") : rest.slice(at + separator.length);
  }
  if (separator !== null || rest !== "") out.push(rest);
  return out;
}

/** `text.splitlines(keepEnds)`. */
export function splitLines(text: string, keepEnds = false): string[] {
  charge(text.length);
  const out: string[] = [];
  const pattern = new RegExp(LINE_END, "g");
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    out.push(text.slice(from, keepEnds ? match.index + match[0].length : match.index));
    from = match.index + match[0].length;
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

/** `text.replace(old, new, count)`. */
export function replace(text: string, old: string, fresh: string, count = -1): string {
  charge(text.length);
  const parts = old === "" ? ["", ...toPoints(text), ""] : text.split(old);
  const cuts = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  charge(cuts * fresh.length);
  if (cuts === parts.length - 1) return parts.join(fresh);
  return cuts === 0 ? text : parts.slice(0, cuts + 1).join(fresh) + old + parts.slice(cuts + 1).join(old);
}

const LETTER = /\p{L}/u;
const CASED = /[\p{Uppercase}\p{Lowercase}\p{Lt}]/u;

/** One character in title case (`ǆ` → `ǅ`). */
const titleCase = (c: string): string => {
  if (/[\u01c4-\u01cc\u01f1-\u01f3]/.test(c)) {
    const code = c.codePointAt(0) ?? 0;
    return String.fromCodePoint(code >= 0x1f1 ? 0x1f2 : 0x1c5 + 3 * Math.floor((code - 0x1c4) / 3));
  }
  const up = c.toUpperCase();
  return up.length > 1 && pointLength(c) === 1 && pointLength(up) > 1 ? (up[0] ?? "") + up.slice(1).toLowerCase() : up;
};

/** `text.title()`. */
function title(text: string): string {
  let out = "";
  let inside = false;
  for (const c of toPoints(text)) {
    out += inside ? c.toLowerCase() : titleCase(c);
    inside = CASED.test(c);
  }
  return out;
}

/** `text.capitalize()`: the first character in title case, the rest lowered as a whole (final sigma included). */
export function capitalize(text: string): string {
  charge(text.length);
  const [first = ""] = text;
  return titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

/** `text.center(width, fill)`: the odd blank goes left when the width is odd. */
export function center(text: string, width: number, fill = " "): string {
  const missing = width - pointLength(text);
  if (missing <= 0) return text;
  charge(missing);
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

const every = (text: string, test: RegExp): boolean => text !== "" && toPoints(text).every((c) => test.test(c));

const swapCase = (text: string): string =>
  toPoints(text)
    .map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()))
    .join("");

function expandTabs(text: string, size: number): string {
  let column = 0;
  let out = "";
  for (const c of toPoints(text)) {
    if (c === "\t") {
      const blanks = size > 0 ? size - (column % size) : 0;
      charge(blanks);
      out += " ".repeat(blanks);
      column += blanks;
    } else {
      out += c;
      column = c === "\n" || c === "\r" ? 0 : column + 1;
    }
  }
  return out;
}

function partition(text: string, mark: string, last: boolean): Tuple {
  if (mark === "") return fail("ValueError", "empty separator");
  const at = last ? text.lastIndexOf(mark) : text.indexOf(mark);
  if (at < 0) return new Tuple(last ? ["", "", text] : [text, "", ""]);
  return new Tuple([text.slice(0, at), mark, text.slice(at + mark.length)]);
}

const isTitle = (text: string): boolean => CASED.test(text) && title(text) === text;
const isCase = (text: string, lower: boolean): boolean =>
  CASED.test(text) &&
  !/\p{Lt}/u.test(text) &&
  (lower ? text.toLowerCase() : text.toUpperCase()) === text &&
  !(lower ? /\p{Uppercase}/u : /\p{Lowercase}/u).test(text);

interface Args {
  /** A string argument; null where None or nothing was given. */
  readonly text: (index: number, name?: string) => string | null;
  readonly need: (index: number) => string;
  readonly int: (index: number, standard: number, name?: string) => number;
  readonly raw: readonly Value[];
  readonly named: Kwargs;
}

type Method = (text: string, args: Args) => Value;

/** `[start:end]` of the finding methods, as code points. */
function window(text: string, { int, raw }: Args): { points: string[]; start: number; end: number } {
  const points = toPoints(text);
  const size = points.length;
  const place = (index: number, standard: number): number => {
    const at = raw[index] === null ? standard : int(index, standard);
    return Math.max(0, at < 0 ? at + size : at);
  };
  return { points, start: place(1, 0), end: Math.min(size, place(2, size)) };
}

function find(text: string, args: Args, last: boolean): number {
  const needle = args.need(0);
  const { points, start, end } = window(text, args);
  if (start > end) return -1;
  const part = points.slice(start, end).join("");
  const at = last ? part.lastIndexOf(needle) : part.indexOf(needle);
  return at < 0 ? -1 : start + pointLength(part.slice(0, at));
}

function affix(text: string, args: Args, atEnd: boolean): boolean {
  const { points, start, end } = window(text, args);
  if (start > points.length) return false;
  const part = args.raw.length > 1 ? points.slice(start, end).join("") : text;
  const given = args.raw[0] ?? null;
  const candidates = given instanceof Tuple ? given.items : [given];
  return candidates.some((candidate) => {
    if (typeof candidate !== "string") {
      const name = atEnd ? "endswith" : "startswith";
      return fail("TypeError", `${name} first arg must be str or a tuple of str, not ${typeName(candidate)}`);
    }
    return atEnd ? part.endsWith(candidate) : part.startsWith(candidate);
  });
}

const found = (at: number): number => (at < 0 ? fail("ValueError", "substring not found") : at);

const METHODS: Readonly<Record<string, Method>> = {
  capitalize: (text) => capitalize(text),
  casefold: (text) =>
    toPoints(text)
      .map((c) => (c === "ß" || c === "ẞ" ? "ss" : c === "ς" ? "σ" : c.toLowerCase()))
      .join(""),
  center: (text, { int, text: get }) => center(text, int(0, 0), get(1) ?? " "),
  count: (text, args) => {
    const needle = args.need(0);
    const { points, start, end } = window(text, args);
    const part = points.slice(start, end).join("");
    return needle === "" ? pointLength(part) + 1 : part.split(needle).length - 1;
  },
  endswith: (text, args) => affix(text, args, true),
  expandtabs: (text, { int }) => expandTabs(text, int(0, 8, "tabsize")),
  find: (text, args) => find(text, args, false),
  index: (text, args) => found(find(text, args, false)),
  isalnum: (text) => every(text, /[\p{L}\p{N}]/u),
  isalpha: (text) => every(text, LETTER),
  isascii: (text) => /^[\0-\x7f]*$/.test(text),
  isdecimal: (text) => every(text, /\p{Nd}/u),
  isdigit: (text) => every(text, /[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468]/u),
  isidentifier: (text) => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(text),
  islower: (text) => isCase(text, true),
  isnumeric: (text) => every(text, /\p{N}/u),
  isprintable: (text) => !/[\p{C}\p{Z}]/u.test(text.replaceAll(" ", "")),
  isspace: (text) => every(text, SPACE),
  istitle: isTitle,
  isupper: (text) => isCase(text, false),
  join: (text, { raw }) => joinStrings(text, raw[0] ?? null),
  ljust: (text, { int, text: get }) => text + (get(1) ?? " ").repeat(gap(text, int(0, 0))),
  lower: (text) => text.toLowerCase(),
  lstrip: (text, { text: get }) => strip(text, get(0), "left"),
  partition: (text, { need }) => partition(text, need(0), false),
  removeprefix: (text, { need }) => (text.startsWith(need(0)) ? text.slice(need(0).length) : text),
  removesuffix: (text, { need }) => (need(0) !== "" && text.endsWith(need(0)) ? text.slice(0, -need(0).length) : text),
  replace: (text, { need, int }) => replace(text, need(0), need(1), int(2, -1, "count")),
  rfind: (text, args) => find(text, args, true),
  rindex: (text, args) => found(find(text, args, true)),
  rjust: (text, { int, text: get }) => (get(1) ?? " ").repeat(gap(text, int(0, 0))) + text,
  rpartition: (text, { need }) => partition(text, need(0), true),
  rsplit: (text, { text: get, int }) => split(text, get(0, "sep"), int(1, -1, "maxsplit"), true),
  rstrip: (text, { text: get }) => strip(text, get(0), "right"),
  split: (text, { text: get, int }) => split(text, get(0, "sep"), int(1, -1, "maxsplit")),
  splitlines: (text, { raw, named }) => splitLines(text, Boolean(raw[0] ?? named.get("keepends"))),
  startswith: (text, args) => affix(text, args, false),
  strip: (text, { text: get }) => strip(text, get(0)),
  swapcase: (text) => swapCase(text),
  title,
  translate: (text, { raw }) => translate(text, raw[0] ?? null),
  upper: (text) => text.toUpperCase(),
  zfill: (text, { int }) => {
    const zeros = "0".repeat(gap(text, int(0, 0)));
    return /^[+-]/.test(text) ? (text[0] ?? "") + zeros + text.slice(1) : zeros + text;
  },
};

const gap = (text: string, width: number): number => {
  const missing = Math.max(0, width - pointLength(text));
  charge(missing);
  return missing;
};

function translate(text: string, table: Value): string {
  if (!(table instanceof Dict)) return fail("TypeError", "translate() takes a mapping of code points");
  return toPoints(text)
    .map((c) => {
      const to = table.get(c.codePointAt(0) ?? 0);
      if (to === undefined) return c;
      return to === null ? "" : typeof to === "number" ? String.fromCodePoint(to) : toText(to);
    })
    .join("");
}

function joinStrings(mark: string, values: Value): string {
  const parts: string[] = [];
  for (const value of iterate(values)) {
    if (typeof value !== "string") {
      return fail("TypeError", `sequence item ${parts.length}: expected str instance, ${typeName(value)} found`);
    }
    charge(value.length + mark.length);
    parts.push(value);
  }
  return parts.join(mark);
}

/** Looks a method of `text` up; undefined when `str` has none of that name (`format` is the evaluator's). */
export function stringMethod(
  text: string,
  name: string,
): ((args: readonly Value[], named: Kwargs) => Value) | undefined {
  if (!Object.hasOwn(METHODS, name)) return undefined;
  const method = METHODS[name];
  if (method === undefined) return undefined;
  return (raw, named) => {
    charge(1 + (text.length >>> 3));
    const value = (index: number, key?: string): Value =>
      raw[index] ?? (key === undefined ? null : (named.get(key) ?? null));
    const read = (index: number, key?: string): string | null => {
      const given = value(index, key);
      if (given === null || typeof given === "string") return given;
      if (given instanceof Undefined) return given.refuse();
      return fail("TypeError", `${name}() argument ${index + 1} must be str, not ${typeName(given)}`);
    };
    const made = method(text, {
      raw,
      named,
      text: read,
      need: (index) => read(index) ?? fail("TypeError", `${name}() argument ${index + 1} must be str, not None`),
      int: (index, standard, key) => {
        const given = raw[index] ?? (key === undefined ? undefined : named.get(key));
        if (given === undefined) return standard;
        const int = intOf(given);
        if (int === undefined)
          return fail("TypeError", `'${typeName(given)}' object cannot be interpreted as an integer`);
        return Number(int);
      },
    });
    if (typeof made === "string") charge(made.length >>> 3);
    return made;
  };
}
