/**
 * Words that say "if this, then that" → `anyOf` of the cases. What cannot be said so is refused by name. Pure rewriting: the
 * compiler goes on with the result.
 */
import { isObject, type Schema } from "./keywords.ts";
import type { AnySchema } from "./merge.ts";
import { malformed, unsupported } from "./problems.ts";

/** Words that are rewritten here. */
export const CONDITIONAL = [
  "not",
  "if",
  "then",
  "else",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
] as const;

/** What a schema does not hold for, or null where that cannot be said. */
export type Negate = (schema: unknown) => AnySchema | null;

const without = (name: string): AnySchema => ({ type: "object", properties: { [name]: false } });

/** `a` brings its own demands where it is there. Values that are no objects are none of its business. */
function dependency(name: string, demand: unknown, objects: boolean): AnySchema {
  const present: AnySchema = { type: "object", required: [name] };
  const asked = Array.isArray(demand) ? { required: demand } : demand;
  const cases: unknown[] = [without(name), { allOf: [present, asked] }];
  return { anyOf: objects ? cases : [...cases, { type: ["array", "string", "number", "boolean", "null"] }] } as Schema;
}

function dependencies(schema: Schema, path: string, objects: boolean): AnySchema[] {
  const out: AnySchema[] = [];
  for (const word of ["dependentRequired", "dependentSchemas", "dependencies"]) {
    const value = schema[word];
    if (value === undefined) continue;
    if (!isObject(value)) throw malformed(path, word, value, "an object");
    for (const [name, demand] of Object.entries(value)) {
      const names = Array.isArray(demand);
      const right = word === "dependentRequired" ? names : word === "dependencies" || !names;
      if (!right) throw malformed(path, word, demand, names ? "an object of schemas" : "an object of lists of names");
      out.push(dependency(name, demand, objects));
    }
  }
  return out;
}

/** @param objects whether only objects come anyway */
export function toCases(schema: Schema, path: string, objects: boolean, negate: Negate): AnySchema[] {
  const out: AnySchema[] = [];
  const other = (word: string, mend: string): AnySchema => {
    const negated = negate(schema[word]);
    if (negated === null) throw unsupported(path, word, mend);
    return negated;
  };
  if ("not" in schema)
    out.push(
      other("not", "only what speaks of type, const, enum, required, properties and bounds can be turned round"),
    );
  if ("if" in schema) {
    const not = other("if", "use anyOf with one branch for each case");
    const yes = { allOf: [schema.if, schema.then ?? true] };
    const no = { allOf: [not, schema.else ?? true] };
    out.push({ anyOf: [yes, no] });
  }
  out.push(...dependencies(schema, path, objects));
  return out;
}
