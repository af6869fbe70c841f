/**
 * Which words of a JSON schema (drafts 4 to 2020-12) assert something, about which kind of value, and which of them cannot
 * be followed. Words that are none of these are annotations and change nothing.
 */
import { malformed } from "./problems.ts";

export type Schema = Readonly<Record<string, unknown>>;

/** Kinds of values, in the order in which they are offered. */
export const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
export type TypeName = (typeof TYPES)[number];

/** Keywords that say something about one kind of value only. */
export const KEYWORDS_OF: Readonly<Record<"object" | "array" | "string" | "number", readonly string[]>> = {
  object: [
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "unevaluatedProperties",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
  ],
  array: [
    "items",
    "prefixItems",
    "additionalItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "unevaluatedItems",
  ],
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
};

/** Ours, from schemas that were turned round: what a value must not be (no objects, no arrays). No schema's text names it by accident. */
export const NOT_IN = "\u0000notIn";
/** Ours: properties that come from a schema that was turned round, which evaluates nothing. */
export const NEGATED = "\u0000negated";
/** Ours: further patterns, where parts of a schema have different ones. */
export const PATTERNS = "\u0000patterns";

/** Keywords about values of any kind. */
export const GENERAL = [
  PATTERNS,
  NOT_IN,
  NEGATED,
  "type",
  "enum",
  "const",
  "$ref",
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
  "$dynamicRef",
  "$recursiveRef",
];

const ASSERTING: ReadonlySet<string> = new Set([...GENERAL, ...Object.values(KEYWORDS_OF).flat()]);

export const isObject = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The words that assert something. `then` and `else` say nothing without `if`, and `if` nothing without them. */
export function assertionsOf(schema: Schema): Schema {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(schema)) if (ASSERTING.has(name)) out[name] = value;
  // Draft 4 says `exclusiveMinimum: true` beside `minimum`.
  for (const [strict, bound] of [
    ["exclusiveMinimum", "minimum"],
    ["exclusiveMaximum", "maximum"],
  ] as const) {
    if (typeof out[strict] !== "boolean") continue;
    if (out[strict] && out[bound] !== undefined) {
      out[strict] = out[bound];
      delete out[bound];
    } else delete out[strict];
  }
  const conditional = "if" in out && ("then" in out || "else" in out);
  if (!conditional) {
    delete out.if;
    delete out.then;
    delete out.else;
  }
  return out;
}

/** The types that a schema names, or those its other words are about; all of them where none. */
export function typesOf(schema: Schema, path: string): ReadonlySet<TypeName> {
  const { type } = schema;
  if (type === undefined) {
    const told = new Set<TypeName>();
    for (const [name, words] of Object.entries(KEYWORDS_OF)) {
      if (words.some((word) => word in schema)) told.add(name as TypeName);
    }
    return told.size > 0 ? told : new Set(TYPES.filter((name) => name !== "integer"));
  }
  const names = Array.isArray(type) ? type : [type];
  const bad = names.find((name) => !TYPES.includes(name as TypeName));
  if (bad !== undefined || names.length === 0) {
    throw malformed(path, "type", type, `one of ${TYPES.join(", ")}, or a list of them`);
  }
  return new Set(names as TypeName[]);
}

/** A bound that is a count. */
export function countOf(schema: Schema, name: string, path: string, otherwise: number): number {
  const value = schema[name];
  if (value === undefined) return otherwise;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw malformed(path, name, value, "an integer of at least 0");
  }
  return value;
}

/** A bound that is a number. */
export function numberOf(schema: Schema, name: string, path: string, otherwise: number): number {
  const value = schema[name];
  if (value === undefined || typeof value === "boolean") return otherwise;
  if (typeof value !== "number" || !Number.isFinite(value)) throw malformed(path, name, value, "a number");
  return value;
}

/** Equality of JSON values. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  }
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => name in b && sameValue(a[name], b[name]));
  }
  return false;
}
