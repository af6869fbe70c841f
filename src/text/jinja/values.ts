/**
 * Python's values as a template sees them. A JavaScript number is an int here (a bigint beyond 2^53); a float is a PyFloat,
 * so that `1.0` prints as Python prints it. Strings, booleans and null stand for themselves; an array is a list.
 */
import { charge, STEP } from "./budget.ts";

/** A failure of the template, with the Python exception it would have been. */
export class TemplateFailure extends Error {
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Throws a TemplateFailure. */
export function fail(kind: string, message: string): never {
  throw new TemplateFailure(kind, message);
}

/** A float. Also what a caller passes for `1.0`, which JSON.parse would make an int. */
export class PyFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** An immutable sequence; `grouper` and `list` name the fields of what `groupby` gives. */
export class Tuple {
  readonly items: readonly Value[];
  readonly fields: readonly string[];
  constructor(items: readonly Value[], fields: readonly string[] = []) {
    this.items = items;
    this.fields = fields;
  }
}

/** What a name or key that is missing evaluates to: prints as nothing, fails when it is used. */
export class Undefined {
  readonly message: string;
  readonly kind: string;
  constructor(message: string, kind = "UndefinedError") {
    this.message = message;
    this.kind = kind;
  }
  refuse(): never {
    return fail(this.kind, this.message);
  }
}

const hashKey = (value: Value): unknown => {
  if (value === true) return 1;
  if (value === false) return 0;
  if (value instanceof PyFloat) return value.value;
  if (value instanceof Tuple)
    return `\0tuple:${value.items.map((item) => `${typeof item}:${hashKey(item)}`).join("\0")}`;
  if (Array.isArray(value) || value instanceof Dict || value instanceof View) {
    return fail("TypeError", `unhashable type: '${value instanceof Dict ? "dict" : "list"}'`);
  }
  return value;
};

/** A dict: keys compare as in Python (`1`, `1.0` and `True` are one key), order is that of insertion. */
export class Dict {
  readonly #entries = new Map<unknown, [Value, Value]>();
  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    return this.#entries.get(hashKey(key))?.[1];
  }
  has(key: Value): boolean {
    return this.#entries.has(hashKey(key));
  }
  set(key: Value, value: Value): this {
    const hash = hashKey(key);
    const known = this.#entries.get(hash);
    if (known === undefined) this.#entries.set(hash, [key, value]);
    else known[1] = value;
    return this;
  }
  entries(): [Value, Value][] {
    return [...this.#entries.values()];
  }
  keys(): Value[] {
    return this.entries().map(([key]) => key);
  }
}

/** `dict.keys()`, `.values()`, `.items()`. */
export class View {
  readonly kind: "keys" | "values" | "items";
  readonly dict: Dict;
  constructor(kind: "keys" | "values" | "items", dict: Dict) {
    this.kind = kind;
    this.dict = dict;
  }
  get items(): Value[] {
    const entries = this.dict.entries();
    if (this.kind === "items") return entries.map((entry) => new Tuple(entry));
    return entries.map(([key, value]) => (this.kind === "keys" ? key : value));
  }
}

/** A `range`: sized and indexable, never materialised. */
export class Range {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly length: number;
  constructor(start: number, stop: number, step: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }
}

/** A generator: can be walked once, has no length, is always true. */
export class Iter implements Iterable<Value> {
  readonly name: string;
  readonly #source: Iterator<Value>;
  constructor(source: Iterable<Value>, name = "generator") {
    this.#source = source[Symbol.iterator]();
    this.name = name;
  }
  [Symbol.iterator](): Iterator<Value> {
    return { next: () => this.#source.next() };
  }
}

/** `namespace(...)`: the one value whose attributes a template may set. */
export class Namespace {
  readonly fields = new Map<string, Value>();
  /** Refuses private names in transformers' words (5.23, `TemplateNamespace`). */
  set(name: string, value: Value): void {
    if (name.startsWith("_")) {
      fail(
        "SecurityError",
        `Chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'. Please rename the attribute.`,
      );
    }
    this.fields.set(name, value);
  }
}

export type Kwargs = ReadonlyMap<string, Value>;

/** Anything that can be called. `attributes` are read with a dot (`loop.index`, `cycler.current`). */
export class Callable {
  readonly name: string;
  readonly call: (args: readonly Value[], kwargs: Kwargs) => Value;
  readonly attributes: ((name: string) => Value | undefined) | undefined;
  constructor(
    name: string,
    call: (args: readonly Value[], kwargs: Kwargs) => Value,
    attributes?: (name: string) => Value | undefined,
  ) {
    this.name = name;
    this.call = call;
    this.attributes = attributes;
  }
}

/** Every value of a template. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | PyFloat
  | Value[]
  | Tuple
  | Dict
  | View
  | Range
  | Iter
  | Namespace
  | Callable
  | Undefined;

/** Deepest nesting of JSON that is taken; Python's own parser stops near a thousand. */
const DEPTH_LIMIT = 500;

/** JSON values (and bigint, PyFloat) → template values. Costs a unit per element. Keys with `undefined` are left out. */
export function toValue(value: unknown, depth = 0): Value {
  charge(1);
  if (depth > DEPTH_LIMIT) return fail("RecursionError", `values are nested deeper than ${DEPTH_LIMIT} levels`);
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "bigint") return toInt(value);
  if (typeof value === "number")
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : fromNumber(value);
  if (Array.isArray(value)) return value.map((item) => toValue(item, depth + 1));
  if (isTemplateValue(value)) return value;
  if (typeof value === "object") {
    const out = new Dict();
    for (const [key, item] of Object.entries(value)) {
      if (item !== undefined) out.set(key, toValue(item, depth + 1));
    }
    return out;
  }
  return fail("TypeError", `a ${typeof value} cannot be used in a template`);
}

const isTemplateValue = (value: unknown): value is Value =>
  [PyFloat, Tuple, Dict, View, Range, Iter, Namespace, Callable, Undefined].some((kind) => value instanceof kind);

/** A JSON number that is no safe integer: an integer beyond 2^53 keeps being one, whatever digits are left of it. */
function fromNumber(value: number): Value {
  return Number.isInteger(value) && Math.abs(value) < 1e21 && !Object.is(value, -0)
    ? BigInt(value)
    : new PyFloat(value);
}

/** The shorter spelling of an int: a number where it is exact, else a bigint. */
export function toInt(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** Python's `type(value).__name__`. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" || typeof value === "bigint") return "int";
  if (typeof value === "string") return "str";
  if (value instanceof PyFloat) return "float";
  if (Array.isArray(value)) return "list";
  if (value instanceof Tuple) return value.fields.length > 0 ? "_GroupTuple" : "tuple";
  if (value instanceof Dict) return "dict";
  if (value instanceof View) return `dict_${value.kind}`;
  if (value instanceof Range) return "range";
  if (value instanceof Iter) return value.name;
  if (value instanceof Namespace) return "Namespace";
  if (value instanceof Undefined) return "Undefined";
  return value.attributes === undefined ? "function" : value.name;
}

/** Python's truth of a value. */
export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value === "object") {
    if (Array.isArray(value)) return value.length > 0;
    if (value instanceof PyFloat) return value.value !== 0;
    if (value instanceof Tuple) return value.items.length > 0;
    if (value instanceof Dict) return value.size > 0;
    if (value instanceof View) return value.dict.size > 0;
    if (value instanceof Range) return value.length > 0;
    return true;
  }
  return Boolean(value);
}

/** Code points of a string; Python's strings are sequences of those. Charged by length. */
export function toPoints(text: string): string[] {
  charge(text.length * 4);
  return Array.from(text);
}

const ASTRAL = /[\ud800-\udbff]/;

/** Number of code points. */
export function pointLength(text: string): number {
  if (!ASTRAL.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** `iter(value)`; a TypeError for what cannot be walked. Costs a unit per element. */
export function* iterate(value: Value): Generator<Value> {
  for (const item of elements(value)) {
    charge(STEP);
    yield item;
  }
}

function elements(value: Value): Iterable<Value> {
  if (typeof value === "string") return toPoints(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple || value instanceof View) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Iter) return value;
  if (value instanceof Range) return rangeItems(value);
  if (value instanceof Undefined) return [];
  return fail("TypeError", `'${typeName(value)}' object is not iterable`);
}

function* rangeItems(range: Range): Generator<Value> {
  for (let index = 0; index < range.length; index += 1) yield range.start + index * range.step;
}

/** Can `iter()` take it? */
export function isIterable(value: Value): boolean {
  return (
    typeof value === "string" ||
    Array.isArray(value) ||
    [Tuple, View, Dict, Iter, Range, Undefined].some((kind) => value instanceof kind)
  );
}

/** `len(value)`. */
export function lengthOf(value: Value): number {
  if (typeof value === "string") return pointLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof View) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  return fail("TypeError", `object of type '${typeName(value)}' has no len()`);
}
