/**
 * Objects of a schema. Properties come in the order in which the schema lists them; keys that it does not list come only
 * where it says `additionalProperties`, `patternProperties` or nothing about properties at all (as in vLLM's default).
 */
import type { JsonText } from "../json-text.ts";
import type { GrammarNode } from "../nodes.ts";
import { countOf, isObject, type Schema } from "./keywords.ts";
import type { AnySchema } from "./merge.ts";
import { malformed, Unsatisfiable, unsupported } from "./problems.ts";
import { bounded, patternPart } from "./strings.ts";

/** What objects need of the compiler. */
export interface Compiler {
  readonly json: JsonText;
  /** Node of a sub-schema. Throws Unsatisfiable. */
  value(schema: unknown, path: string): GrammarNode;
  /** Is this value, a string, one of the schema? Throws `unsupported` where that cannot be said. */
  takes(schema: unknown, value: unknown, path: string): boolean;
  /** What the schema does not hold for; null where that cannot be said. */
  negate(schema: unknown): AnySchema | null;
  /** All values of a schema that has only a few; undefined = not known to be few. */
  few(schema: unknown, path: string): readonly unknown[] | undefined;
}

interface Property {
  readonly required: boolean;
  readonly pair: GrammarNode;
}

/** Listed and counted properties of one object: (properties × counts) is the size of what is built. */
const COUNTED_LIMIT = 4096;

const pointer = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");

/** Does a JSON-schema pattern (searched for, not matched) occur in a name? */
function occurs(pattern: string, name: string, path: string): boolean {
  try {
    return new RegExp(pattern, "u").test(name);
  } catch (cause) {
    throw malformed(path, "patternProperties", pattern, `a regular expression (${String(cause)})`);
  }
}

/** Can no name match two of the patterns, since they begin with letters of which none begins another's? One alone is fine. */
function beginApart(patterns: readonly string[]): boolean {
  if (patterns.length < 2) return true;
  const begins = patterns.map((pattern) => /^\^([A-Za-z0-9_]+)(?![A-Za-z0-9_?*{|])/.exec(pattern)?.[1]);
  return begins.every(
    (one, index) =>
      one !== undefined &&
      !patterns[index]!.includes("|") &&
      begins.every((other, at) => at === index || (other !== undefined && !other.startsWith(one))),
  );
}

/** Keys that `propertyNames` allows. */
function namesNode(compiler: Compiler, names: unknown, path: string): GrammarNode {
  const { json } = compiler;
  if (!isObject(names)) throw malformed(path, "propertyNames", names, "a schema");
  const own = Object.keys(names).filter((word) => !["type", "description", "title", "$comment"].includes(word));
  const where = `${path}/propertyNames`;
  const listed = compiler.few(names, where);
  if (listed !== undefined) {
    return json.builder.choice(listed.filter((name) => typeof name === "string").map((name) => json.literal(name)));
  }
  const least = countOf(names, "minLength", where, 0);
  const most = countOf(names, "maxLength", where, Number.POSITIVE_INFINITY);
  const foreign = own.find((word) => !["minLength", "maxLength", "pattern"].includes(word));
  if (foreign !== undefined) throw unsupported(where, foreign, "names can be held to pattern, length, enum and const");
  if (names.pattern === undefined) return json.string(least, most);
  if (typeof names.pattern !== "string") throw malformed(where, "pattern", names.pattern, "a string");
  const content = bounded(json, patternPart(json, names.pattern, `${where}/pattern`), least, most);
  if (content === "empty") throw new Unsatisfiable(where, "no name has the length that is asked for");
  if (content === null) throw unsupported(where, "maxLength", "it cannot be combined with this pattern");
  return json.quoted(content);
}

/** The pair of a key that is not listed, or null when there is none. */
function extraPair(compiler: Compiler, schema: Schema, listed: readonly string[], path: string): GrammarNode | null {
  const { json } = compiler;
  const { additionalProperties: additional, propertyNames, patternProperties } = schema;
  const patterns = isObject(patternProperties) ? Object.entries(patternProperties) : [];
  const bare = listed.length === 0 && !("properties" in schema);
  if (patterns.length > 0) {
    // A key of a pattern could be one that is listed, or one of another pattern: what holds for it then is more than this.
    if (!bare || propertyNames !== undefined) return null;
    const open = patterns.filter(([, value]) => value !== false);
    if (open.length === 0) return null;
    if (!beginApart(patterns.map(([pattern]) => pattern))) {
      const mend = "several patterns can be followed where they begin with different letters, as in ^a_ and ^b_";
      throw unsupported(path, "patternProperties", mend);
    }
    const pairs = open.map(([pattern, value]) => {
      const key = json.quoted(patternPart(json, pattern, `${path}/patternProperties`).node);
      return json.pair(key, compiler.value(value, `${path}/patternProperties/${pointer(pattern)}`));
    });
    return json.builder.choice(pairs);
  }
  if (additional === false) return null;
  if (additional === undefined && !bare && propertyNames === undefined) return null;
  const value = (): GrammarNode => compiler.value(additional ?? true, `${path}/additionalProperties`);
  if (propertyNames === undefined || propertyNames === true) return json.pair(json.keyBut(listed), value());
  if (listed.length > 0 || propertyNames === false) return null;
  return json.pair(namesNode(compiler, propertyNames, path), value());
}

function listProperties(compiler: Compiler, schema: Schema, path: string): Map<string, Property> {
  const { json } = compiler;
  const { properties = {}, required = [], patternProperties = {}, propertyNames } = schema;
  if (!isObject(properties)) throw malformed(path, "properties", properties, "an object of schemas");
  if (!isObject(patternProperties))
    throw malformed(path, "patternProperties", patternProperties, "an object of schemas");
  if (!Array.isArray(required) || required.some((name) => typeof name !== "string")) {
    throw malformed(path, "required", required, "a list of names");
  }
  const wanted = new Set(required as readonly string[]);
  const out = new Map<string, Property>();
  for (const name of new Set([...Object.keys(properties), ...wanted])) {
    const own = Object.hasOwn(properties, name);
    const where = own ? `${path}/properties/${pointer(name)}` : `${path}/required`;
    const parts: AnySchema[] = own ? [properties[name] as AnySchema] : [];
    for (const [pattern, value] of Object.entries(patternProperties)) {
      if (occurs(pattern, name, path)) parts.push(value as AnySchema);
    }
    if (parts.length === 0 && schema.additionalProperties !== undefined) {
      parts.push(schema.additionalProperties as AnySchema);
    }
    try {
      if (propertyNames !== undefined && !compiler.takes(propertyNames, name, `${path}/propertyNames`)) {
        throw new Unsatisfiable(where, `the name "${name}" is not one that propertyNames allows`);
      }
      const value = compiler.value(parts.length === 0 ? true : parts.length === 1 ? parts[0] : { allOf: parts }, where);
      out.set(name, { required: wanted.has(name), pair: json.pair(json.literal(name), value) });
    } catch (thrown) {
      // A property that can have no value is one that never comes.
      if (!(thrown instanceof Unsatisfiable) || wanted.has(name)) throw thrown;
    }
  }
  return out;
}

/** Objects of a schema. Throws Unsatisfiable, and GatewayError for what cannot be followed. */
export function objectNode(compiler: Compiler, schema: Schema, path: string): GrammarNode {
  const { json } = compiler;
  const { builder } = json;
  const properties = listProperties(compiler, schema, path);
  const listed = isObject(schema.properties) ? Object.keys(schema.properties) : [];
  let extra = extraPair(compiler, schema, [...new Set([...listed, ...properties.keys()])], path);
  const pairs = [...properties.values()];
  const needed = pairs.filter(({ required }) => required).length;
  const least = countOf(schema, "minProperties", path, 0);
  const most = countOf(schema, "maxProperties", path, Number.POSITIVE_INFINITY);
  if (needed > most) throw new Unsatisfiable(path, "more properties are required than maxProperties allows");
  if (extra === null && pairs.length < least) {
    throw new Unsatisfiable(path, "minProperties asks for more properties than there can be");
  }
  if (extra !== null && least > Math.max(needed, pairs.length === needed ? needed + 1 : needed)) {
    // The same key twice is one property: others than those listed cannot be counted.
    if (pairs.length >= least) extra = null;
    else
      throw unsupported(path, "minProperties", "keys that are not listed cannot be counted; list them in properties");
  }
  const counted = least > needed || most < pairs.length + (extra === null ? 0 : Number.POSITIVE_INFINITY);
  const cap = counted ? Math.max(least, Number.isFinite(most) ? most : 0) : 1;
  if (counted && (pairs.length + 1) * (cap + 1) > COUNTED_LIMIT) {
    throw unsupported(
      path,
      Number.isFinite(most) ? "maxProperties" : "minProperties",
      "the object is too large to count",
    );
  }
  const known = new Map<string, GrammarNode>();
  /** What may come from property `index` on when `count` pairs are there (counted up to `cap`). */
  const rest = (index: number, count: number): GrammarNode => {
    const key = `${index}/${count}`;
    const made = known.get(key);
    if (made !== undefined) return made;
    const next = (to: number, pair: GrammarNode): GrammarNode => {
      const more = Math.min(cap, count + 1);
      return builder.sequence([...(count === 0 ? [] : [json.comma]), pair, rest(to, more)]);
    };
    const full = count >= most;
    const property = pairs[index];
    let node: GrammarNode;
    if (property !== undefined) {
      const taken = full ? builder.never : next(index + 1, property.pair);
      node = property.required ? taken : builder.choice([taken, rest(index + 1, count)]);
    } else {
      const parts = [count >= Math.min(least, cap) ? builder.empty : builder.never];
      if (extra !== null && !full) {
        if (counted && count < cap) parts.push(next(index, extra));
        else {
          const more = builder.repeat(builder.sequence([json.comma, extra]), 0, Number.POSITIVE_INFINITY);
          parts.push(builder.sequence([...(count === 0 ? [] : [json.comma]), extra, more]));
        }
      }
      node = builder.choice(parts);
    }
    known.set(key, node);
    return node;
  };
  const inside = rest(0, 0);
  if (inside.kind === "never") throw new Unsatisfiable(path, "no object has the properties that are asked for");
  const open = builder.sequence([builder.literal("{"), json.space]);
  return builder.sequence([open, inside, ...(inside.kind === "empty" ? [] : [json.space]), builder.literal("}")]);
}
