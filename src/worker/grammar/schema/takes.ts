/** Does a known value (of `enum`, `const`, a property's name) satisfy the rest of its schema? */
import { isObject, NEGATED, NOT_IN, numberOf, PATTERNS, type Schema, sameValue, typesOf } from "./keywords.ts";
import { malformed, unsupported } from "./problems.ts";

const kindsOf = (value: unknown): readonly string[] => {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  if (typeof value === "number") return Number.isInteger(value) ? ["number", "integer"] : ["number"];
  return [typeof value];
};

const none = Number.POSITIVE_INFINITY;

function numberFits(schema: Schema, value: number, path: string): boolean {
  const of = (word: string, otherwise: number): number => numberOf(schema, word, path, otherwise);
  const step = of("multipleOf", 0);
  return (
    value >= of("minimum", -none) &&
    value <= of("maximum", none) &&
    value > of("exclusiveMinimum", -none) &&
    value < of("exclusiveMaximum", none) &&
    !(schema.exclusiveMinimum === true && value === schema.minimum) &&
    !(schema.exclusiveMaximum === true && value === schema.maximum) &&
    (step === 0 || Number.isInteger(value / step))
  );
}

function stringFits(schema: Schema, value: string, path: string): boolean {
  const length = Array.from(value).length;
  if (length < numberOf(schema, "minLength", path, 0) || length > numberOf(schema, "maxLength", path, none))
    return false;
  const patterns = [schema.pattern, schema[PATTERNS]].flat().filter((pattern) => pattern !== undefined);
  return patterns.every((pattern) => {
    if (typeof pattern !== "string") throw malformed(path, "pattern", pattern, "a string");
    try {
      return new RegExp(pattern, "u").test(value);
    } catch (cause) {
      throw malformed(path, "pattern", pattern, `a regular expression (${String(cause)})`);
    }
  });
}

/** Words that are understood here; others beside `enum` are refused. */
const KNOWN = new Set([
  NOT_IN,
  NEGATED,
  PATTERNS,
  "type",
  "enum",
  "const",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "pattern",
  "format",
]);

/** Throws GatewayError `unsupported` where a word beside `enum` cannot be judged. */
export function takesValue(schema: Schema | boolean, value: unknown, path: string): boolean {
  if (typeof schema === "boolean") return schema;
  const kinds = kindsOf(value);
  if (schema.type !== undefined) {
    const types = typesOf(schema, path);
    if (!kinds.some((kind) => types.has(kind as never))) return false;
  }
  if (Array.isArray(schema.enum) && !schema.enum.some((other) => sameValue(other, value))) return false;
  if ("const" in schema && !sameValue(schema.const, value)) return false;
  if (Array.isArray(schema[NOT_IN]) && schema[NOT_IN].includes(value)) return false;
  const structured = isObject(value) || Array.isArray(value);
  const foreign = Object.keys(schema).find((word) => !KNOWN.has(word));
  if (foreign !== undefined && (structured || ["anyOf", "oneOf", "not", "if"].includes(foreign))) {
    throw unsupported(path, foreign, "it cannot be combined with enum, const or propertyNames; leave one of them out");
  }
  if (typeof value === "number") return numberFits(schema, value, path);
  return typeof value === "string" ? stringFits(schema, value, path) : true;
}
