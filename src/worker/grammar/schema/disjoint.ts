/** Can one value satisfy two schemas? `oneOf` may be followed only where it cannot. Answers "no" only when that is certain. */
import { isObject, numberOf, type Schema, sameValue, type TypeName, typesOf } from "./keywords.ts";

/** How the compiler sees a sub-schema: references followed. */
export type Look = (schema: unknown) => Schema | boolean;

const DEPTH_LIMIT = 8;

const kindOf = (value: unknown): TypeName =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "array"
      : typeof value === "object"
        ? "object"
        : (typeof value as "string" | "number" | "boolean");

const valuesOf = (schema: Schema): readonly unknown[] | undefined =>
  "const" in schema ? [schema.const] : Array.isArray(schema.enum) ? schema.enum : undefined;

function typesWithin(schema: Schema): ReadonlySet<TypeName> | undefined {
  const values = valuesOf(schema);
  if (values !== undefined) return new Set(values.map(kindOf));
  return schema.type === undefined ? undefined : typesOf(schema, "");
}

/** Can keys other than those listed be there, by the schema's word? */
const closed = (schema: Schema): boolean =>
  schema.additionalProperties === false &&
  (!isObject(schema.patternProperties) || Object.keys(schema.patternProperties).length === 0);

const requiredOf = (schema: Schema): readonly string[] => (Array.isArray(schema.required) ? schema.required : []);
const propertiesOf = (schema: Schema): Schema => (isObject(schema.properties) ? schema.properties : {});

function objectsApart(a: Schema, b: Schema, look: Look, depth: number): boolean {
  const lacks = (one: Schema, other: Schema): boolean =>
    requiredOf(one).some((name) => closed(other) && !Object.hasOwn(propertiesOf(other), name));
  if (lacks(a, b) || lacks(b, a)) return true;
  const shared = requiredOf(a).filter((name) => requiredOf(b).includes(name));
  return shared.some((name) => {
    const [first, second] = [propertiesOf(a)[name], propertiesOf(b)[name]];
    return first !== undefined && second !== undefined && areDisjoint(first, second, look, depth + 1);
  });
}

function numbersApart(a: Schema, b: Schema): boolean {
  const low = (schema: Schema): number =>
    Math.max(
      numberOf(schema, "minimum", "", Number.NEGATIVE_INFINITY),
      numberOf(schema, "exclusiveMinimum", "", Number.NEGATIVE_INFINITY),
    );
  const high = (schema: Schema): number =>
    Math.min(
      numberOf(schema, "maximum", "", Number.POSITIVE_INFINITY),
      numberOf(schema, "exclusiveMaximum", "", Number.POSITIVE_INFINITY),
    );
  const touch = (upper: Schema, lower: Schema): boolean =>
    high(upper) === low(lower) && (upper.exclusiveMaximum === high(upper) || lower.exclusiveMinimum === low(lower));
  return high(a) < low(b) || high(b) < low(a) || touch(a, b) || touch(b, a);
}

/** Types of the answers that `made` gives which `judge` may take. A schema without types takes all, and gives a few. */
function sharedTypes(made: Schema, judge: Schema): readonly TypeName[] {
  const numeric = (name: TypeName): TypeName => (name === "integer" ? "number" : name);
  const given = [...(typesWithin(made) ?? typesOf(made, ""))].map(numeric);
  const taken = typesWithin(judge);
  return taken === undefined ? given : given.filter((name) => [...taken].map(numeric).includes(name));
}

/** Is there certainly no value of both, of those that answers hold? */
export function areDisjoint(first: unknown, second: unknown, look: Look, depth = 0): boolean {
  const [a, b] = [look(first), look(second)];
  if (a === false || b === false) return true;
  if (a === true || b === true || depth > DEPTH_LIMIT) return false;
  for (const [one, other] of [
    [a, second],
    [b, first],
  ] as const) {
    for (const word of ["anyOf", "oneOf"]) {
      const branches = one[word];
      if (Array.isArray(branches) && branches.every((branch) => areDisjoint(branch, other, look, depth + 1)))
        return true;
    }
    if (Array.isArray(one.allOf) && one.allOf.some((branch) => areDisjoint(branch, other, look, depth + 1)))
      return true;
  }
  const [mine, theirs] = [valuesOf(a), valuesOf(b)];
  if (mine !== undefined && theirs !== undefined) {
    return !mine.some((value) => theirs.some((other) => sameValue(value, other)));
  }
  const shared = new Set([...sharedTypes(a, b), ...sharedTypes(b, a)]);
  return [...shared].every((name) => {
    if (name === "object") return objectsApart(a, b, look, depth);
    if (name === "number") return mine === undefined && theirs === undefined && numbersApart(a, b);
    return false;
  });
}

/** A property that tells all branches apart once it is there: of pydantic's unions it often has a default, and is not required. */
export function discriminatorOf(branches: readonly unknown[], look: Look): string | undefined {
  const plain = branches.map(look);
  const [first] = plain;
  if (!isObject(first)) return undefined;
  return Object.keys(propertiesOf(first)).find((name) =>
    plain.every((one, index) => {
      if (!isObject(one) || !typesWithin(one)?.has("object") || one.type === undefined) return false;
      const own = propertiesOf(one)[name];
      return (
        own !== undefined &&
        plain.slice(index + 1).every((other) => {
          const theirs = isObject(other) ? propertiesOf(other)[name] : undefined;
          return theirs !== undefined && areDisjoint(own, theirs, look);
        })
      );
    }),
  );
}
