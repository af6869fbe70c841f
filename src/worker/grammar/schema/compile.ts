/**
 * JSON schema → grammar. Every text of the grammar is a value of the schema; the other way round it need not hold (keys
 * come in the order of the schema, numbers have a bounded number of digits). What cannot be followed is refused by the
 * name of its keyword and where it is, never ignored: vLLM's default library ignores some.
 */
import { GatewayError } from "../../../errors.ts";
import type { JsonText } from "../json-text.ts";
import type { GrammarNode, Rule } from "../nodes.ts";
import { arrayNode } from "./arrays.ts";
import { CONDITIONAL, toCases } from "./conditions.ts";
import { areDisjoint, discriminatorOf } from "./disjoint.ts";
import {
  assertionsOf,
  isObject,
  KEYWORDS_OF,
  NOT_IN,
  numberOf,
  type Schema,
  type TypeName,
  typesOf,
} from "./keywords.ts";
import { type AnySchema, mergePlain } from "./merge.ts";
import { negate } from "./negate.ts";
import { boundedNumber } from "./numbers.ts";
import { objectNode } from "./objects.ts";
import { impossible, malformed, Unsatisfiable, unsupported } from "./problems.ts";
import { createResolver, type Resolver } from "./resolve.ts";
import { stringNode } from "./strings.ts";
import { takesValue } from "./takes.ts";
import { closeUnevaluated, withNeighbours } from "./unevaluated.ts";

/** Sub-schemas compiled at most, those of combinations included. */
const PARTS_LIMIT = 10_000;
/** References and combinations inside each other. */
const DEPTH_LIMIT = 256;

/** Steps of which every decimal is exact as a double: readers agree on their multiples. Step → what may come behind a point. */
const FRACTIONS: Readonly<Record<string, readonly string[]>> = {
  "0.5": ["0", "5"],
  "0.25": ["0", "25", "5", "75"],
  "0.125": ["0", "125", "25", "375", "5", "625", "75", "875"],
};

/** References that depend on who refers. */
const DYNAMIC = ["$dynamicRef", "$recursiveRef"];

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

class SchemaCompiler {
  readonly json: JsonText;
  readonly #resolver: Resolver;
  /** By JSON pointer, or by the schema's own text: recursive schemas come back to themselves. */
  readonly #rules = new Map<string, Rule>();
  readonly #failed = new Map<string, unknown>();
  /** Something was turned round: then it is not certain that nothing satisfies what is left. */
  turned = false;
  #parts = 0;
  #depth = 0;

  constructor(json: JsonText, root: unknown) {
    this.json = json;
    this.#resolver = createResolver(root);
  }

  /** Node of a sub-schema. Throws Unsatisfiable. */
  value(schema: unknown, path: string): GrammarNode {
    this.#parts += 1;
    this.#depth += 1;
    if (this.#parts > PARTS_LIMIT || this.#depth > DEPTH_LIMIT) {
      throw new GatewayError(
        "limit_exceeded",
        `The JSON schema is too large: it unfolds to more than ${PARTS_LIMIT} parts or ${DEPTH_LIMIT} levels (at ${path || "its root"}).`,
        { param: path },
      );
    }
    try {
      return this.#value(schema, path);
    } finally {
      this.#depth -= 1;
    }
  }

  takes(schema: unknown, value: unknown, path: string): boolean {
    return takesValue(this.#flat(schema, path, 0), value, path);
  }

  #value(schema: unknown, path: string): GrammarNode {
    if (schema === true) return this.json.any();
    if (schema === false) throw new Unsatisfiable(path, "it is false");
    if (!isObject(schema)) throw malformed(path, "schema", schema, "an object, true or false");
    const own = assertionsOf(schema);
    const { $ref: reference, ...rest } = own;
    if (reference !== undefined && Object.keys(rest).length === 0) return this.#reference(reference, path);
    // A reference with neighbours may come back to itself, too; the same text means the same everywhere in a document.
    if (reference !== undefined || "allOf" in own) {
      return this.#named(JSON.stringify(own), () => this.#plain(own, path));
    }
    return this.#plain(own, path);
  }

  #plain(own: Schema, path: string): GrammarNode {
    const plain = this.#flat(own, path, 0);
    if (typeof plain === "boolean") return this.#value(plain, path);
    for (const word of ["anyOf", "oneOf"] as const) {
      if (word in plain) return this.#branches(plain, word, path);
    }
    for (const word of DYNAMIC) if (word in plain) throw unsupported(path, word, "use $ref");
    if ("enum" in plain || "const" in plain) return this.#listed(plain, path);
    return this.#typed(plain, path);
  }

  #reference(reference: unknown, path: string): GrammarNode {
    if (typeof reference !== "string") throw malformed(path, "$ref", reference, "a string");
    const found = this.#resolver.find(reference, path);
    return this.#named(found.path, () => this.value(found.schema, found.path));
  }

  /** Made once for a name, which may be used while it is made. */
  #named(name: string, make: () => GrammarNode): GrammarNode {
    const known = this.#rules.get(name);
    if (known !== undefined) return this.json.builder.use(known);
    if (this.#failed.has(name)) throw this.#failed.get(name);
    const rule = this.json.builder.rule(name);
    this.#rules.set(name, rule);
    try {
      rule.body = make();
    } catch (thrown) {
      this.#rules.delete(name);
      this.#failed.set(name, thrown);
      throw thrown;
    }
    return this.json.builder.use(rule);
  }

  /** References and `allOf` put into one schema. `anyOf` and `oneOf` may be left. */
  #flat(schema: unknown, path: string, depth: number): Schema | boolean {
    if (depth > DEPTH_LIMIT) throw unsupported(path, "$ref", "it refers to itself without end");
    if (typeof schema === "boolean") return schema;
    if (!isObject(schema)) throw malformed(path, "schema", schema, "an object, true or false");
    const own = assertionsOf(schema);
    const { $ref: reference, allOf, unevaluatedProperties, unevaluatedItems, ...others } = own;
    const rest: Record<string, unknown> = { ...others };
    for (const word of CONDITIONAL) delete rest[word];
    let whole: Schema | boolean = rest;
    if (reference !== undefined) {
      if (typeof reference !== "string") throw malformed(path, "$ref", reference, "a string");
      const found = this.#resolver.find(reference, path);
      whole = this.#merge(whole, this.#flat(found.schema, found.path, depth + 1), path);
    }
    if (allOf !== undefined) {
      if (!Array.isArray(allOf) || allOf.length === 0) throw malformed(path, "allOf", allOf, "a list of schemas");
      for (const [index, part] of allOf.entries()) {
        whole = this.#merge(whole, this.#flat(part, `${path}/allOf/${index}`, depth + 1), path);
      }
    }
    if (CONDITIONAL.some((word) => word in own)) {
      const types = own.type === undefined ? undefined : typesOf(own, path);
      const objects = types === undefined || (types.size === 1 && types.has("object"));
      for (const part of toCases(own, path, objects, (other) => this.negate(other))) {
        whole = this.#merge(whole, this.#flat(part, path, depth + 1), path);
      }
    }
    return closeUnevaluated(whole, unevaluatedProperties, unevaluatedItems, path);
  }

  negate(schema: unknown): AnySchema | null {
    this.turned = true;
    return negate(schema, (reference) => {
      try {
        return this.#resolver.find(reference, "").schema;
      } catch {
        return null;
      }
    });
  }

  few(schema: unknown, path: string): readonly unknown[] | undefined {
    const plain = this.#flat(schema, path, 0);
    if (typeof plain === "boolean") return plain ? undefined : [];
    const branches = plain.anyOf ?? plain.oneOf;
    if (Array.isArray(branches)) {
      if ("oneOf" in plain) return undefined;
      const { anyOf: _, ...rest } = plain;
      const parts = branches.map((branch: unknown) => this.few(withNeighbours(branch, rest), path));
      return parts.some((part) => part === undefined) ? undefined : parts.flatMap((part) => part ?? []);
    }
    if ("const" in plain || Array.isArray(plain.enum)) return this.#fitting(plain, path);
    const types = plain.type === undefined ? undefined : typesOf(plain, path);
    if (types === undefined || ![...types].every((name) => name === "boolean" || name === "null")) return undefined;
    return [...(types.has("boolean") ? [true, false] : []), ...(types.has("null") ? [null] : [])];
  }

  #merge(a: Schema | boolean, b: Schema | boolean, path: string): Schema | boolean {
    if (a === false || b === false) throw new Unsatisfiable(path, "a part of it is false");
    if (a === true || Object.keys(a).length === 0) return b;
    if (b === true || Object.keys(b).length === 0) return a;
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const word of ["anyOf", "oneOf"]) {
        if (!(word in one)) continue;
        const { [word]: branches, ...rest } = one;
        if (!Array.isArray(branches)) throw malformed(path, word, branches, "a list of schemas");
        return { [word]: branches.map((branch) => ({ allOf: [withNeighbours(branch, rest), other] })) };
      }
    }
    return mergePlain(a, b, path);
  }

  #branches(schema: Schema, word: "anyOf" | "oneOf", path: string): GrammarNode {
    const { [word]: branches, ...rest } = schema;
    if (!Array.isArray(branches) || branches.length === 0) throw malformed(path, word, branches, "a list of schemas");
    const joined = branches.map((branch: unknown) => withNeighbours(branch, rest));
    const parts = word === "anyOf" ? joined : this.#apart(branches, joined, path);
    const nodes: GrammarNode[] = [];
    let reason: Unsatisfiable | undefined;
    for (const [index, part] of parts.entries()) {
      try {
        nodes.push(this.value(part, `${path}/${word}/${index}`));
      } catch (thrown) {
        if (!(thrown instanceof Unsatisfiable)) throw thrown;
        reason = thrown;
      }
    }
    if (nodes.length === 0) throw reason ?? new Unsatisfiable(path, "none of its branches can be satisfied");
    return this.json.builder.choice(nodes);
  }

  /** Branches of `oneOf`: of two that may hold for the same value, each is taken without the other. */
  #apart(branches: readonly unknown[], joined: readonly unknown[], path: string): readonly unknown[] {
    const look = (part: unknown): Schema | boolean => {
      try {
        return this.#flat(part, path, 0);
      } catch (thrown) {
        if (thrown instanceof Unsatisfiable) return false;
        throw thrown;
      }
    };
    const named = discriminatorOf(joined, look);
    if (named !== undefined) return joined.map((part) => ({ allOf: [part, { required: [named] }] }));
    return joined.map((part, index) => {
      const others: AnySchema[] = [];
      for (const [at, branch] of branches.entries()) {
        if (at === index || areDisjoint(part, joined[at], look)) continue;
        const negated = this.negate(branch);
        if (negated === null) {
          throw unsupported(
            path,
            "oneOf",
            "two of its branches may hold for the same value; use anyOf, or tell them apart by a required property with a const",
          );
        }
        others.push(negated);
      }
      return others.length === 0 ? part : { allOf: [part, ...others] };
    });
  }

  #fitting(schema: Schema, path: string): readonly unknown[] {
    const values = "const" in schema ? [schema.const] : schema.enum;
    if (!Array.isArray(values)) throw malformed(path, "enum", values, "a list");
    return values.filter((value) => takesValue(schema, value, path));
  }

  #listed(schema: Schema, path: string): GrammarNode {
    const fitting = this.#fitting(schema, path);
    if (fitting.length === 0)
      throw new Unsatisfiable(path, "no value of enum or const satisfies the rest of the schema");
    return this.json.builder.choice(fitting.map((value) => this.json.literal(value)));
  }

  #typed(schema: Schema, path: string): GrammarNode {
    const types = typesOf(schema, path);
    const nodes: GrammarNode[] = [];
    let reason: Unsatisfiable | undefined;
    for (const name of types) {
      if (name === "integer" && types.has("number")) continue;
      try {
        nodes.push(this.#ofType(name, schema, path));
      } catch (thrown) {
        if (!(thrown instanceof Unsatisfiable)) throw thrown;
        reason = thrown;
      }
    }
    if (nodes.length === 0) throw reason ?? new Unsatisfiable(path, "no type is left");
    return this.json.builder.choice(nodes);
  }

  #ofType(name: TypeName, schema: Schema, path: string): GrammarNode {
    const { builder } = this.json;
    switch (name) {
      case "null":
      case "boolean": {
        const out = listOf(schema[NOT_IN]);
        const left = (name === "null" ? [null] : [true, false]).filter((value) => !out.includes(value));
        if (left.length === 0) throw new Unsatisfiable(path, "no value is left");
        return builder.choice(left.map((value) => this.json.literal(value)));
      }
      case "string":
        return stringNode(this.json, schema, path);
      case "object":
        return objectNode(this, schema, path);
      case "array":
        return arrayNode(this, schema, path);
      case "number":
      case "integer":
        return this.#number(schema, path, name === "integer");
    }
  }

  /** A number that is none of some, between which ranges are left. */
  #number(schema: Schema, path: string, integer: boolean): GrammarNode {
    const out = listOf(schema[NOT_IN]).filter((value) => typeof value === "number");
    if (out.length === 0) return this.#bounded(schema, path, integer);
    const { [NOT_IN]: _, ...rest } = schema;
    const sorted = out.sort((a, b) => a - b);
    const ranges = [...sorted, undefined].map((above, index) => {
      const below = sorted[index - 1];
      return {
        ...(below === undefined ? {} : { exclusiveMinimum: below }),
        ...(above === undefined ? {} : { exclusiveMaximum: above }),
      };
    });
    const nodes = ranges.flatMap((range) => {
      try {
        return [this.#bounded(mergePlain(rest, range, path), path, integer)];
      } catch (thrown) {
        if (thrown instanceof Unsatisfiable) return [];
        throw thrown;
      }
    });
    if (nodes.length === 0) throw new Unsatisfiable(path, "no number is left");
    return this.json.builder.choice(nodes);
  }

  #bounded(schema: Schema, path: string, integer: boolean): GrammarNode {
    const words = KEYWORDS_OF.number.map((word) => schema[word] ?? null);
    return this.json.once(`number ${integer} ${JSON.stringify(words)}`, () => this.#makeNumber(schema, path, integer));
  }

  #makeNumber(schema: Schema, path: string, integer: boolean): GrammarNode {
    const bounds = {
      minimum: numberOf(schema, "minimum", path, Number.NEGATIVE_INFINITY),
      maximum: numberOf(schema, "maximum", path, Number.POSITIVE_INFINITY),
      exclusiveMinimum: numberOf(schema, "exclusiveMinimum", path, Number.NEGATIVE_INFINITY),
      exclusiveMaximum: numberOf(schema, "exclusiveMaximum", path, Number.POSITIVE_INFINITY),
      multipleOf: numberOf(schema, "multipleOf", path, 1),
      integer,
    };
    const free = [bounds.minimum, bounds.maximum, bounds.exclusiveMinimum, bounds.exclusiveMaximum].every(
      (bound) => !Number.isFinite(bound),
    );
    const fractions = FRACTIONS[String(bounds.multipleOf)];
    if (free && fractions !== undefined) return integer ? this.json.integer() : this.json.number(fractions);
    if (free && bounds.multipleOf === 1) {
      return integer || "multipleOf" in schema ? this.json.integer() : this.json.number();
    }
    const node = boundedNumber(this.json.builder, { ...bounds, integer: integer || "multipleOf" in schema });
    if (node === "empty") throw new Unsatisfiable(path, "no number is within the bounds");
    if (node === "multipleOf") {
      throw unsupported(
        path,
        "multipleOf",
        "integers up to 100 can be followed, or a range with few multiples; leave it out",
      );
    }
    return node;
  }
}

/**
 * Texts that are values of a schema.
 *
 * @param path names the schema in errors, such as `response_format.json_schema.schema`
 * @throws GatewayError `unsupported`, `invalid_value` or `limit_exceeded`, with the keyword and its place
 */
export function schemaNode(json: JsonText, schema: unknown): GrammarNode {
  const compiler = new SchemaCompiler(json, schema);
  try {
    return compiler.value(schema, "");
  } catch (thrown) {
    if (thrown instanceof Unsatisfiable && compiler.turned) {
      throw unsupported(thrown.path, "not", "no value is left that can be followed");
    }
    if (thrown instanceof Unsatisfiable) throw impossible(thrown);
    throw thrown;
  }
}
