/**
 * What a schema does not hold for, as a schema: for `not`, `if` and branches of `oneOf` that overlap. Every value of the result
 * is certainly none of the schema; some may be missing (numbers that are no integers). null where that cannot be said.
 */
import { assertionsOf, isObject, NEGATED, NOT_IN, type Schema, TYPES, type TypeName } from "./keywords.ts";
import type { AnySchema } from "./merge.ts";

/** Finds what a reference names; null when it is not in the document. */
export type Follow = (reference: string) => unknown;

const DEPTH_LIMIT = 32;

/** Every value but these. */
function notListed(values: readonly unknown[]): AnySchema[] | null {
  return values.some((value) => typeof value === "object" && value !== null) ? null : [{ [NOT_IN]: values }];
}

/** Counts: word → the type it is about, and the word for what lies beyond. */
const COUNTS: Readonly<Record<string, readonly [type: TypeName, word: string, step: 1 | -1]>> = {
  minLength: ["string", "maxLength", -1],
  maxLength: ["string", "minLength", 1],
  minItems: ["array", "maxItems", -1],
  maxItems: ["array", "minItems", 1],
  minProperties: ["object", "maxProperties", -1],
  maxProperties: ["object", "minProperties", 1],
};
const RANGES: Readonly<Record<string, string>> = {
  minimum: "exclusiveMaximum",
  maximum: "exclusiveMinimum",
  exclusiveMinimum: "maximum",
  exclusiveMaximum: "minimum",
};

function notTyped(type: unknown): AnySchema[] {
  const names = new Set(Array.isArray(type) ? type : [type]);
  if (names.has("integer")) names.add("number");
  if (names.has("number")) names.add("integer");
  const left = TYPES.filter((name) => !names.has(name));
  return left.length === 0 ? [] : [{ type: left }];
}

const everyOne = (parts: readonly (AnySchema | null)[]): AnySchema[] | null =>
  parts.some((part) => part === null) ? null : (parts as AnySchema[]);

/** One word of a schema: each of the results contradicts it. null = unknown. */
function notWord(word: string, value: unknown, follow: Follow, depth: number): AnySchema[] | null {
  const inner = (schema: unknown): AnySchema | null => negate(schema, follow, depth + 1);
  const count = COUNTS[word];
  if (count !== undefined) {
    const [type, other, step] = count;
    if (!Number.isInteger(value)) return null;
    return (value as number) + step < 0 ? [] : [{ type, [other]: (value as number) + step }];
  }
  const range = RANGES[word];
  if (range !== undefined) return typeof value === "number" ? [{ type: "number", [range]: value }] : null;
  switch (word) {
    case NEGATED:
      return [];
    case NOT_IN:
      return [{ enum: value }];
    case "type":
      return notTyped(value);
    case "const":
      return notListed([value]);
    case "enum":
      return Array.isArray(value) ? notListed(value) : null;
    case "required":
      return Array.isArray(value)
        ? value.map((name) => ({ type: "object", properties: { [String(name)]: false } }))
        : null;
    case "properties":
      if (!isObject(value)) return null;
      return everyOne(
        Object.entries(value).map(([name, schema]) => {
          const other = inner(schema);
          if (other === null || other === false) return other;
          return { type: "object", required: [name], properties: { [name]: other }, [NEGATED]: true };
        }),
      );
    case "items": {
      if (typeof value === "boolean") return value ? [] : [{ type: "array", minItems: 1 }];
      const other = Array.isArray(value) ? null : inner(value);
      if (other === null) return null;
      return other === false ? [] : [{ type: "array", contains: other }];
    }
    case "allOf":
      return Array.isArray(value) ? everyOne(value.map(inner)) : null;
    case "anyOf":
    // None of the branches: of `oneOf` that is a part of what there is.
    case "oneOf": {
      const none = Array.isArray(value) ? everyOne(value.map(inner)) : null;
      return none === null ? null : [{ allOf: none }];
    }
    case "not":
      return typeof value === "boolean" || isObject(value) ? [{ allOf: [value], [NEGATED]: true }] : null;
    case "$ref": {
      const found = typeof value === "string" ? follow(value) : null;
      const other = found === null ? null : inner(found);
      return other === null ? null : [other];
    }
    default:
      return null;
  }
}

/** See the head of the file. */
export function negate(schema: unknown, follow: Follow, depth = 0): AnySchema | null {
  if (typeof schema === "boolean") return !schema;
  if (!isObject(schema) || depth > DEPTH_LIMIT) return null;
  const parts: AnySchema[] = [];
  const own: Schema = assertionsOf(schema);
  for (const [word, value] of Object.entries(own)) {
    const found = notWord(word, value, follow, depth);
    if (found === null) return null;
    parts.push(...found);
  }
  const possible = parts.filter((part) => part !== false);
  if (possible.length === 0) return false;
  return possible.length === 1 ? possible[0]! : { anyOf: possible };
}
