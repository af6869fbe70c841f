/** Values as Python writes them: `str`, `repr`, `json.dumps`. Pure; charged by the text made. */
import { charge } from "./budget.ts";
import {
  Callable,
  Dict,
  fail,
  Iter,
  isTrue,
  Namespace,
  PyFloat,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from "./values.ts";

/** Python's `repr(float)`: the shortest digits that round-trip, an exponent outside 1e-4 … 1e16. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa = "", power = "0"] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const exponent = Number(power);
  const sign = value < 0 ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    const head = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    return `${sign}${head}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
const UNPRINTABLE = /[\p{C}\p{Z}\\]/gu;

const hex = (code: number): string => {
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
};

function quote(text: string): string {
  charge(text.length);
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(UNPRINTABLE, (c) => (c === " " ? c : (ESCAPES[c] ?? hex(c.codePointAt(0) ?? 0))));
  return mark + (mark === "'" ? body.replaceAll("'", "\\'") : body) + mark;
}

const DEPTH_LIMIT = 500;

/** Longest int that is written out: Python's own limit (`sys.set_int_max_str_digits`). */
const DIGIT_LIMIT = 4300;

function intText(value: number | bigint): string {
  const text = String(value);
  if (text.length > DIGIT_LIMIT) {
    return fail("ValueError", `Exceeds the limit (${DIGIT_LIMIT} digits) for integer string conversion`);
  }
  return text;
}

/** Python's `repr(value)`. */
export function toRepr(value: Value, depth = 0): string {
  charge(1);
  if (depth > DEPTH_LIMIT) return fail("RecursionError", "maximum recursion depth exceeded");
  const inner = (item: Value): string => toRepr(item, depth + 1);
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return `[${value.map(inner).join(", ")}]`;
  if (value instanceof Tuple) {
    return value.items.length === 1 ? `(${inner(value.items[0] ?? null)},)` : `(${value.items.map(inner).join(", ")})`;
  }
  if (value instanceof Dict) {
    return `{${value
      .entries()
      .map(([key, item]) => `${inner(key)}: ${inner(item)}`)
      .join(", ")}}`;
  }
  if (value instanceof View) return `dict_${value.kind}([${value.items.map(inner).join(", ")}])`;
  if (value instanceof Undefined) return "Undefined";
  return toText(value);
}

/** Python's `str(value)`. */
export function toText(value: Value): string {
  if (typeof value === "string") return value;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number" || typeof value === "bigint") return intText(value);
  if (value instanceof PyFloat) return floatText(value.value);
  if (value instanceof Undefined) return "";
  if (value instanceof Range) {
    const step = value.step === 1 ? "" : `, ${value.step}`;
    return `range(${value.start}, ${value.stop}${step})`;
  }
  if (value instanceof Namespace) {
    const fields = new Dict();
    for (const [name, item] of value.fields) fields.set(name, item);
    return `<Namespace ${toRepr(fields)}>`;
  }
  if (value instanceof Iter) return `<${value.name} object>`;
  if (value instanceof Callable) return `<${typeName(value)} ${value.name}>`;
  return toRepr(value);
}

/** Options of `json.dumps`, as transformers' `tojson` hands them on. */
export interface JsonOptions {
  readonly ensureAscii: boolean;
  /** The text of one level, or null for one line. */
  readonly indent: string | null;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

const JSON_ESCAPES: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
  '"': '\\"',
  "\\": "\\\\",
};
const unit = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A JSON string as Python writes it; DEL and the separators U+2028/9 stay as they are. */
function jsonString(text: string, ensureAscii: boolean): string {
  charge(text.length);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON must escape
  const escaped = text.replace(/[\u0000-\u001f"\\]/g, (c) => JSON_ESCAPES[c] ?? unit(c));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  return `"${ensureAscii ? escaped.replace(/[^\u0000-\u007f]/g, unit) : escaped}"`;
}

function jsonKey(key: Value): string {
  if (typeof key === "string") return key;
  if (key === true) return "true";
  if (key === false) return "false";
  if (key === null) return "null";
  if (typeof key === "number" || typeof key === "bigint") return intText(key);
  if (key instanceof PyFloat) return jsonFloat(key.value);
  return fail("TypeError", `keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const jsonFloat = (value: number): string =>
  Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? floatText(value) : value < 0 ? "-Infinity" : "Infinity";

/** Python's `json.dumps`. `compare` orders keys where they are sorted. */
export function toJson(value: Value, options: JsonOptions, compare: (a: Value, b: Value) => number, level = 0): string {
  charge(1);
  if (level > DEPTH_LIMIT) return fail("RecursionError", "maximum recursion depth exceeded while encoding JSON");
  if (typeof value === "string") return jsonString(value, options.ensureAscii);
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number" || typeof value === "bigint") return intText(value);
  if (value instanceof PyFloat) return jsonFloat(value.value);
  const list = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  const dict = value instanceof Dict ? value : undefined;
  if (list === undefined && dict === undefined) {
    return fail("TypeError", `Object of type ${typeName(value)} is not JSON serializable`);
  }
  const [itemMark, keyMark] = options.separators;
  let parts: string[];
  if (dict === undefined) parts = (list ?? []).map((item) => toJson(item, options, compare, level + 1));
  else {
    const entries = dict.entries();
    if (options.sortKeys) entries.sort(([a], [b]) => compare(a, b));
    parts = entries.map(
      ([key, item]) =>
        jsonString(jsonKey(key), options.ensureAscii) + keyMark + toJson(item, options, compare, level + 1),
    );
  }
  const [open, close] = dict === undefined ? "[]" : "{}";
  if (parts.length === 0) return `${open}${close}`;
  if (options.indent === null) return `${open}${parts.join(itemMark)}${close}`;
  const inside = options.indent.repeat(level + 1);
  charge((inside.length + 1) * parts.length);
  return `${open}\n${inside}${parts.join(`${itemMark}\n${inside}`)}\n${options.indent.repeat(level)}${close}`;
}

/** Whether a filter's flag was given as true. */
export const flag = (value: Value | undefined): boolean => value !== undefined && isTrue(value);
