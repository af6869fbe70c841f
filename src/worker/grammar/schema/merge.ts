/**
 * Two schemas that must both hold → one schema. Needed for `allOf`, for `$ref` with neighbours and for what stands beside
 * `anyOf`. Where the two cannot be put into one, the word is refused by name.
 */
import { isObject, NOT_IN, numberOf, PATTERNS, type Schema, sameValue, type TypeName, typesOf } from "./keywords.ts";
import { malformed, Unsatisfiable, unsupported } from "./problems.ts";

/** A schema or a yes or no. */
export type AnySchema = Schema | boolean;

const both = (a: unknown, b: unknown): unknown => {
  if (a === undefined || a === true) return b;
  if (b === undefined || b === true) return a;
  if (a === false || b === false) return false;
  return sameValue(a, b) ? a : { allOf: [a, b] };
};

function mergeTypes(a: Schema, b: Schema, path: string): Record<string, unknown> {
  if (a.type === undefined && b.type === undefined) return {};
  const [first, second] = [a, b].map((schema) => (schema.type === undefined ? undefined : typesOf(schema, path)));
  if (first === undefined || second === undefined) return { type: [...(first ?? second ?? [])] };
  const joint = new Set<TypeName>();
  for (const name of first) {
    if (second.has(name)) joint.add(name);
    else if (name === "integer" && second.has("number")) joint.add("integer");
    else if (name === "number" && second.has("integer")) joint.add("integer");
  }
  if (joint.size === 0) throw new Unsatisfiable(path, "the types contradict each other");
  return { type: [...joint] };
}

const valuesOf = (schema: Schema, path: string): readonly unknown[] | undefined => {
  const { enum: listed } = schema;
  if (listed !== undefined && !Array.isArray(listed)) throw malformed(path, "enum", listed, "a list");
  if (!("const" in schema)) return listed as readonly unknown[] | undefined;
  const only = [schema.const];
  return listed === undefined ? only : only.filter((value) => listed.some((other) => sameValue(value, other)));
};

function mergeValues(a: Schema, b: Schema, path: string): Record<string, unknown> {
  const [first, second] = [valuesOf(a, path), valuesOf(b, path)];
  if (first === undefined && second === undefined) return {};
  if (first === undefined || second === undefined) return { enum: first ?? second };
  const joint = first.filter((value) => second.some((other) => sameValue(value, other)));
  if (joint.length === 0) throw new Unsatisfiable(path, "the values of enum and const contradict each other");
  return { enum: joint };
}

/** Words of which the larger, and of which the smaller one holds. */
const LARGER = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"];
const SMALLER = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"];

/** A property's schema as the other side sees a name that it does not list. */
function unlisted(schema: Schema, name: string, path: string): unknown {
  if (schema.patternProperties !== undefined && isObject(schema.patternProperties)) {
    if (Object.keys(schema.patternProperties).length > 0 && schema.additionalProperties !== undefined) {
      throw unsupported(path, "patternProperties", `it cannot be combined with the property "${name}" of another part`);
    }
  }
  return schema.additionalProperties;
}

function mergeProperties(a: Schema, b: Schema, path: string): Record<string, unknown> {
  const own = (schema: Schema): Schema => (isObject(schema.properties) ? schema.properties : {});
  const [first, second] = [own(a), own(b)];
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])];
  if (names.length === 0) return {};
  const properties: Record<string, unknown> = {};
  for (const name of names) {
    const inA = Object.hasOwn(first, name) ? first[name] : unlisted(a, name, path);
    const inB = Object.hasOwn(second, name) ? second[name] : unlisted(b, name, path);
    properties[name] = both(inA, inB) ?? true;
  }
  return { properties };
}

function mergeItems(a: Schema, b: Schema, path: string): Record<string, unknown> {
  const prefixOf = (schema: Schema): readonly unknown[] =>
    Array.isArray(schema.prefixItems) ? schema.prefixItems : Array.isArray(schema.items) ? schema.items : [];
  const restOf = (schema: Schema): unknown =>
    Array.isArray(schema.items) && schema.prefixItems === undefined ? schema.additionalItems : schema.items;
  const [first, second] = [prefixOf(a), prefixOf(b)];
  const count = Math.max(first.length, second.length);
  const prefixItems = Array.from(
    { length: count },
    (_, index) =>
      both(index < first.length ? first[index] : restOf(a), index < second.length ? second[index] : restOf(b)) ?? true,
  );
  const items = both(restOf(a), restOf(b));
  if (Array.isArray(items)) throw malformed(path, "items", items, "a schema beside prefixItems");
  return { ...(count > 0 ? { prefixItems } : {}), ...(items === undefined ? {} : { items }) };
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function mergeMultiples(a: Schema, b: Schema, path: string): Record<string, unknown> {
  const [first, second] = [a.multipleOf, b.multipleOf];
  if (first === undefined || second === undefined || first === second) {
    const known = first ?? second;
    return known === undefined ? {} : { multipleOf: known };
  }
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second)) {
    throw unsupported(path, "multipleOf", "two of them can be combined only where both are integers");
  }
  const [x, y] = [first as number, second as number];
  return { multipleOf: (x / gcd(x, y)) * y };
}

/** Words that hold only one value: the same in both, or in one. */
const SINGLE = ["format", "contains", "$dynamicRef", "$recursiveRef"];
const MERGED = new Set([
  ...LARGER,
  ...SMALLER,
  ...SINGLE,
  "type",
  "enum",
  "const",
  "properties",
  "required",
  "items",
  "prefixItems",
  "additionalItems",
  "multipleOf",
  "uniqueItems",
  NOT_IN,
  PATTERNS,
  "pattern",
]);

/** Values of which a property is one, as far as that is said in plain words. */
function listedOf(schema: unknown): readonly unknown[] | undefined {
  if (!isObject(schema)) return undefined;
  if ("const" in schema) return [schema.const];
  if (Array.isArray(schema.enum)) return schema.enum;
  return Array.isArray(schema.allOf) ? schema.allOf.map(listedOf).find((values) => values !== undefined) : undefined;
}

/** Is the value certainly none of the schema? References and most words are left to the compiler. */
function contradicts(schema: unknown, value: unknown): boolean {
  if (!isObject(schema)) return schema === false;
  const values = listedOf({ ...schema, allOf: undefined });
  if (values !== undefined && !values.some((other) => sameValue(other, value))) return true;
  if (Array.isArray(schema[NOT_IN]) && schema[NOT_IN].includes(value)) return true;
  if (typeof value === "string" && schema.type !== undefined && !typesOf(schema, "").has("string")) return true;
  if (Array.isArray(schema.allOf) && schema.allOf.some((part) => contradicts(part, value))) return true;
  return Array.isArray(schema.anyOf) && schema.anyOf.every((part) => contradicts(part, value));
}

/**
 * Cases that exclude each other by the value of one property are left early: else a chain of `if`s has 2^n of them.
 * Throws Unsatisfiable.
 */
function checkRequired(schema: Schema, path: string): void {
  if (!Array.isArray(schema.required) || !isObject(schema.properties)) return;
  for (const name of schema.required) {
    const property = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (property === false) throw new Unsatisfiable(path, `the property "${name}" is required, and there is none`);
    const values = listedOf(property);
    if (values?.every((value) => contradicts(property, value)) === true) {
      throw new Unsatisfiable(path, `the property "${name}" can have no value`);
    }
  }
}

/**
 * One schema for both; neither may hold `$ref`, `allOf`, `anyOf` or `oneOf`. Only asserting words are kept.
 * Throws Unsatisfiable when they contradict each other, GatewayError `unsupported` when they cannot be combined.
 */
export function mergePlain(a: Schema, b: Schema, path: string): Schema {
  const out: Record<string, unknown> = {
    ...mergeTypes(a, b, path),
    ...mergeValues(a, b, path),
    ...mergeProperties(a, b, path),
    ...mergeMultiples(a, b, path),
    ...("items" in a || "items" in b || "prefixItems" in a || "prefixItems" in b ? mergeItems(a, b, path) : {}),
  };
  for (const [names, choose] of [
    [LARGER, Math.max],
    [SMALLER, Math.min],
  ] as const) {
    for (const name of names) {
      if (!(name in a) && !(name in b)) continue;
      const otherwise = choose === Math.max ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      out[name] = choose(numberOf(a, name, path, otherwise), numberOf(b, name, path, otherwise));
    }
  }
  for (const name of SINGLE) {
    if (name in a && name in b && !sameValue(a[name], b[name])) {
      throw unsupported(path, name, "it is given twice, with different values, for the same place");
    }
    if (name in a) out[name] = a[name];
    else if (name in b) out[name] = b[name];
  }
  if (a.required !== undefined || b.required !== undefined) {
    const listed = [a.required ?? [], b.required ?? []];
    const bad = listed.find((names) => !Array.isArray(names));
    if (bad !== undefined) throw malformed(path, "required", bad, "a list of names");
    out.required = [...new Set(listed.flat())];
  }
  const patterns = [...new Set([a.pattern, b.pattern, a[PATTERNS], b[PATTERNS]].flat())].filter(
    (pattern) => pattern !== undefined,
  );
  if (patterns.length > 0) out.pattern = patterns[0];
  if (patterns.length > 1) out[PATTERNS] = patterns.slice(1);
  const strings = [a[NOT_IN], b[NOT_IN]].filter(Array.isArray).flat();
  if (strings.length > 0) out[NOT_IN] = [...new Set(strings)];
  if (a.uniqueItems === true || b.uniqueItems === true) out.uniqueItems = true;
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (MERGED.has(name)) continue;
    out[name] = both(a[name], b[name]);
  }
  checkRequired(out, path);
  return out;
}
