/** The filters of jinja2 that make text or numbers, with transformers' own `tojson`. */
import { charge } from "./budget.ts";
import type { Filter } from "./evaluate.ts";
import { percentFormat, roundFloat, toFixed } from "./format.ts";
import { intOf, numberOf } from "./numbers.ts";
import { arithmetic, compare, join, slice, unary } from "./operators.ts";
import { capitalize, center, replace, split, splitLines, strip } from "./string-methods.ts";
import { flag, toJson, toRepr, toText } from "./text.ts";
import {
  Dict,
  fail,
  isTrue,
  iterate,
  type Kwargs,
  PyFloat,
  pointLength,
  Tuple,
  toInt,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** An argument by place or by name. */
export const argument = (args: readonly Value[], kwargs: Kwargs, index: number, name: string): Value | undefined =>
  args[index] === undefined ? kwargs.get(name) : args[index];

/** An argument, or its standard where it was not given at all (None is a value). */
export function argumentOr(
  args: readonly Value[],
  kwargs: Kwargs,
  index: number,
  name: string,
  standard: Value,
): Value {
  const given = argument(args, kwargs, index, name);
  return given === undefined ? standard : given;
}

/** An argument that must be an int. */
export function intArgument(value: Value | undefined, standard: number): number {
  if (value === undefined) return standard;
  const int = intOf(value);
  return int === undefined ? fail("TypeError", `an int was expected, got ${typeName(value)}`) : Number(int);
}

const textArgument = (value: Value | undefined, standard: string | null): string | null =>
  value === undefined ? standard : value === null ? null : toText(value);

const MARKUP: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };

function escapeMarkup(value: Value): string {
  const text = toText(value);
  charge(text.length);
  return text.replace(/[&<>"']/g, (c) => MARKUP[c] ?? c);
}

const title = (text: string): string => {
  charge(text.length);
  return text
    .split(/([-\s({[<]+)/u)
    .map((part) => (part === "" ? "" : capitalizeFirst(part)))
    .join("");
};
const capitalizeFirst = (word: string): string => {
  const [first = ""] = word;
  return first.toUpperCase() + word.slice(first.length).toLowerCase();
};

function indent(value: Value, args: readonly Value[], kwargs: Kwargs): string {
  if (value instanceof Undefined) return value.refuse();
  if (typeof value !== "string")
    return fail("TypeError", `unsupported operand type(s) for +=: '${typeName(value)}' and 'str'`);
  const width = argument(args, kwargs, 0, "width");
  const lead = typeof width === "string" ? width : (arithmetic("*", " ", intArgument(width, 4)) as string);
  const first = flag(argument(args, kwargs, 1, "first"));
  const blank = flag(argument(args, kwargs, 2, "blank"));
  const lines = splitLines(`${value}\n`);
  charge(lines.length * (lead.length + 1));
  const body = lines.map((line, index) => (index > 0 && (blank || line !== "") ? lead + line : line)).join("\n");
  return first ? lead + body : body;
}

function truncate(value: Value, args: readonly Value[], kwargs: Kwargs): string {
  const text = toText(value);
  const length = intArgument(argument(args, kwargs, 0, "length"), 255);
  const end = textArgument(argument(args, kwargs, 2, "end"), "...") ?? "";
  const leeway = intArgument(argument(args, kwargs, 3, "leeway"), 5);
  if (length < pointLength(end)) return fail("AssertionError", `expected length >= ${pointLength(end)}, got ${length}`);
  if (pointLength(text) <= length + leeway) return text;
  const cut = slice(text, null, length - pointLength(end), null) as string;
  if (flag(argument(args, kwargs, 1, "killwords"))) return cut + end;
  return (split(cut, " ", 1, true)[0] ?? "") + end;
}

/** `textwrap.wrap` of one line, without tabs and with words broken where they are too long. */
function wrapLine(line: string, width: number, breakLong: boolean, hyphens: boolean): string[] {
  const chunks =
    line.match(hyphens ? /\s+|[^\s-]*[^\s\d-]-(?=[^\s\d-])|[^\s-]+-*(?:[^\s]*?(?=[^\s-]+-)|)|\S+/gu : /\s+|\S+/gu) ??
    [];
  const lines: string[] = [];
  let current = "";
  for (let chunk of chunks) {
    if (current === "" && lines.length > 0 && /^\s+$/u.test(chunk)) continue;
    if (pointLength(current + chunk) > width) {
      if (current.trim() !== "") lines.push(current.trimEnd());
      current = "";
      if (/^\s+$/u.test(chunk)) continue;
      while (breakLong && pointLength(chunk) > width) {
        lines.push(slice(chunk, null, width, null) as string);
        chunk = slice(chunk, width, null, null) as string;
      }
    }
    current += chunk;
  }
  if (current.trimEnd() !== "") lines.push(current.trimEnd());
  return lines;
}

function toNumber(value: Value): number | undefined {
  if (typeof value !== "string") return numberOf(value);
  const text = strip(value).replace(/(?<=\d)_(?=\d)/g, "");
  if (/^[+-]?(inf|infinity)$/i.test(text))
    return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

function parseInteger(text: string, base: number): number | bigint | undefined {
  const clean = strip(text).replace(/(?<=[\da-z])_(?=[\da-z])/gi, "");
  const [, sign = "", prefix, digits = ""] = /^([+-]?)(0[xob])?([\da-z]+)$/i.exec(clean) ?? [];
  const bases: Readonly<Record<string, number>> = { "0x": 16, "0o": 8, "0b": 2 };
  const own = prefix === undefined ? undefined : bases[prefix.toLowerCase()];
  const radix = base === 0 ? (own ?? 10) : base;
  if (digits === "" || digits.length > 4300 || (own !== undefined && own !== radix)) return undefined;
  let made = 0n;
  for (const digit of digits.toLowerCase()) {
    const value = Number.parseInt(digit, 36);
    if (value >= radix) return undefined;
    made = made * BigInt(radix) + BigInt(value);
  }
  return toInt(sign === "-" ? -made : made);
}

const toInteger: Filter = (value, args, kwargs) => {
  const standard = argumentOr(args, kwargs, 0, "default", 0);
  if (value instanceof Undefined) return value.refuse();
  if (typeof value === "string") {
    const made = parseInteger(value, intArgument(argument(args, kwargs, 1, "base"), 10));
    if (made !== undefined) return made;
  }
  const int = intOf(value);
  if (int !== undefined) return int;
  const number = toNumber(value);
  if (number === undefined || !Number.isFinite(number)) return standard;
  const whole = Math.trunc(number);
  return Number.isSafeInteger(whole) ? whole + 0 : toInt(BigInt(whole));
};

const round: Filter = (value, args, kwargs) => {
  if (value instanceof Undefined) return value.refuse();
  const precision = intArgument(argument(args, kwargs, 0, "precision"), 0);
  const method = textArgument(argument(args, kwargs, 1, "method"), "common");
  const int = intOf(value);
  const number = numberOf(value);
  if (number === undefined) return fail("TypeError", `type ${typeName(value)} doesn't define __round__ method`);
  if (method === "ceil" || method === "floor") {
    const unit = 10 ** precision;
    return new PyFloat(Math[method](number * unit) / unit);
  }
  if (method !== "common") return fail("FilterArgumentError", "method must be common, ceil or floor");
  if (int === undefined) return new PyFloat(roundFloat(number, precision));
  return precision >= 0 ? int : roundFloat(number, precision);
};

function fileSize(value: Value, args: readonly Value[], kwargs: Kwargs): string {
  const bytes = toNumber(value) ?? fail("ValueError", `could not convert to float: ${toRepr(value)}`);
  const binary = flag(argument(args, kwargs, 0, "binary"));
  const base = binary ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const letters = binary ? "KMGTPEZY" : "kMGTPEZY";
  let power = 1;
  while (power < letters.length && bytes >= base ** (power + 1)) power += 1;
  return `${toFixed((base * bytes) / base ** (power + 1), 1)} ${letters[power - 1]}${binary ? "iB" : "B"}`;
}

const SAFE_IN_URL = /[A-Za-z0-9_.~-]/;
function urlPart(value: Value, safe: string): string {
  const text = toText(value);
  charge(text.length * 3);
  return Array.from(new TextEncoder().encode(text), (byte) => {
    const c = String.fromCharCode(byte);
    return SAFE_IN_URL.test(c) || (byte < 128 && safe.includes(c))
      ? c
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
const urlEncode: Filter = (value) => {
  if (typeof value === "string" || !(value instanceof Dict || Array.isArray(value) || value instanceof Tuple))
    return urlPart(value, "/");
  const pairs = value instanceof Dict ? value.entries() : [...iterate(value)].map((pair) => [...iterate(pair)]);
  return pairs
    .map(
      ([key = null, item = null]) =>
        `${urlPart(key, "").replaceAll("%20", "+")}=${urlPart(item, "").replaceAll("%20", "+")}`,
    )
    .join("&");
};

const xmlAttributes: Filter = (value, args, kwargs) => {
  if (!(value instanceof Dict)) return fail("AttributeError", `'${typeName(value)}' object has no attribute 'items'`);
  const parts: string[] = [];
  for (const [key, item] of value.entries()) {
    if (item === null || item instanceof Undefined) continue;
    if (/[ \t\n\r\f\v/>=]/.test(toText(key)))
      return fail("ValueError", `Invalid character in attribute name: ${toRepr(key)}`);
    parts.push(`${escapeMarkup(key)}="${escapeMarkup(item)}"`);
  }
  const spaced = argument(args, kwargs, 0, "autospace");
  return (parts.length > 0 && (spaced === undefined || isTrue(spaced)) ? " " : "") + parts.join(" ");
};

const toJsonFilter: Filter = (value, args, kwargs) => {
  const indentation = argument(args, kwargs, 1, "indent") ?? null;
  const separators = argument(args, kwargs, 2, "separators") ?? null;
  const [item = indentation === null ? ", " : ",", key = ": "] =
    separators === null ? [] : [...iterate(separators)].map(toText);
  const lead =
    indentation === null
      ? null
      : typeof indentation === "string"
        ? indentation
        : (arithmetic("*", " ", intArgument(indentation, 0)) as string);
  const options = {
    ensureAscii: flag(argument(args, kwargs, 0, "ensure_ascii")),
    indent: lead,
    separators: [item, key] as const,
    sortKeys: flag(argument(args, kwargs, 3, "sort_keys")),
  };
  return toJson(value, options, compare);
};

const stripTags = (value: Value): string => {
  const text = toText(value);
  charge(text.length);
  const bare = text.replace(/<!--[\s\S]*?-->/g, "").replace(/<[^>]*>/g, "");
  const words = split(bare, null).join(" ");
  const names: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#34": '"' };
  return words.replace(/&(amp|lt|gt|quot|#39|#34);/g, (_, name: string) => names[name] ?? "");
};

/** By name. */
export const TEXT_FILTERS: Readonly<Record<string, Filter>> = {
  abs: (value) => {
    if (value instanceof Undefined) return value.refuse();
    const number = numberOf(value);
    if (number === undefined) return fail("TypeError", `bad operand type for abs(): '${typeName(value)}'`);
    return number < 0 || Object.is(number, -0) ? unary("-", value) : unary("+", value);
  },
  capitalize: (value) => capitalize(toText(value)),
  center: (value, args, kwargs) => center(toText(value), intArgument(argument(args, kwargs, 0, "width"), 80)),
  e: escapeMarkup,
  escape: escapeMarkup,
  forceescape: escapeMarkup,
  filesizeformat: fileSize,
  float: (value, args, kwargs) => {
    if (value instanceof Undefined) return value.refuse();
    const number = toNumber(value);
    return number === undefined ? argumentOr(args, kwargs, 0, "default", new PyFloat(0)) : new PyFloat(number);
  },
  format: (value, args, kwargs) => {
    if (args.length > 0 && kwargs.size > 0) {
      return fail("FilterArgumentError", "can't handle positional and keyword arguments at the same time");
    }
    if (kwargs.size === 0) return percentFormat(toText(value), new Tuple([...args]));
    const named = new Dict();
    for (const [name, item] of kwargs) named.set(name, item);
    return percentFormat(toText(value), named);
  },
  indent,
  int: toInteger,
  lower: (value) => lowered(toText(value)),
  pprint: (value) => toRepr(value),
  replace: (value, args, kwargs) => {
    const old = argument(args, kwargs, 0, "old");
    const fresh = argument(args, kwargs, 1, "new");
    if (old === undefined || fresh === undefined) return fail("TypeError", "replace() is missing 'old' or 'new'");
    const count = argument(args, kwargs, 2, "count");
    return replace(toText(value), toText(old), toText(fresh), count === null ? -1 : intArgument(count, -1));
  },
  round,
  safe: (value) => toText(value),
  string: (value) => toText(value),
  striptags: stripTags,
  title: (value) => title(toText(value)),
  tojson: toJsonFilter,
  trim: (value, args, kwargs) => strip(toText(value), textArgument(argument(args, kwargs, 0, "chars"), null)),
  truncate,
  upper: (value) => join(toText(value).toUpperCase(), ""),
  urlencode: urlEncode,
  wordcount: (value) => {
    const text = toText(value);
    charge(text.length);
    return text.match(/[\p{L}\p{N}_\p{Mn}\p{Mc}]+/gu)?.length ?? 0;
  },
  wordwrap: (value, args, kwargs) => {
    const width = intArgument(argument(args, kwargs, 0, "width"), 79);
    if (width <= 0) return fail("ValueError", `invalid width ${width} (must be > 0)`);
    const mark = textArgument(argument(args, kwargs, 2, "wrapstring"), null) ?? "\n";
    const breakLong = argument(args, kwargs, 1, "break_long_words");
    const hyphens = argument(args, kwargs, 3, "break_on_hyphens");
    return splitLines(toText(value))
      .map((line) =>
        wrapLine(
          line,
          width,
          breakLong === undefined || isTrue(breakLong),
          hyphens === undefined || isTrue(hyphens),
        ).join(mark),
      )
      .join(mark);
  },
  xmlattr: xmlAttributes,
};

const lowered = (text: string): string => {
  charge(text.length);
  return text.toLowerCase();
};
