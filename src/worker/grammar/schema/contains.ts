/** Arrays that hold some items of a kind: `contains` with `minContains` and `maxContains`. */
import type { GrammarNode, Rule } from "../nodes.ts";
import { countOf, type Schema } from "./keywords.ts";
import type { Compiler } from "./objects.ts";
import { Unsatisfiable, unsupported } from "./problems.ts";

/** What may stand at a place of an array. */
export interface ArrayPlan {
  /** Schemas of the leading items; all of them come. */
  readonly prefix: readonly unknown[];
  /** Schema of every further item; undefined = there are none. */
  readonly rest: unknown;
  readonly least: number;
  readonly most: number;
}

/** (Places × counted items) is the size of what is built. */
const SIZE_LIMIT = 4096;

/** Node of a schema, or undefined when nothing satisfies it. */
function tryValue(compiler: Compiler, schema: unknown, path: string): GrammarNode | undefined {
  try {
    return compiler.value(schema, path);
  } catch (thrown) {
    if (thrown instanceof Unsatisfiable) return undefined;
    throw thrown;
  }
}

/** See the head of the file. Throws Unsatisfiable, and GatewayError for what cannot be followed. */
export function containsNode(compiler: Compiler, schema: Schema, plan: ArrayPlan, path: string): GrammarNode {
  const { json } = compiler;
  const { builder } = json;
  const { prefix, rest, least, most } = plan;
  const wanted = countOf(schema, "minContains", path, 1);
  const limit = countOf(schema, "maxContains", path, Number.POSITIVE_INFINITY);
  if (wanted > limit || wanted > most) throw new Unsatisfiable(path, "contains asks for more items than there can be");
  const where = `${path}/contains`;
  const limited = Number.isFinite(limit);
  const others = limited ? compiler.negate(schema.contains) : true;
  if (others === null)
    throw unsupported(path, "maxContains", "what is not to be contained cannot be turned round; leave it out");
  const places = Math.max(prefix.length, least, Number.isFinite(most) ? most : 0);
  const counts = limited ? limit : wanted;
  if ((places + 1) * (counts + 1) > SIZE_LIMIT) throw unsupported(path, "contains", "the array is too large to count");
  const nodes = new Map<string, GrammarNode | undefined>();
  /** An item at a place, of the kind that is counted or of another. */
  const item = (place: number, counted: boolean): GrammarNode | undefined => {
    const at = Math.min(place, prefix.length);
    const key = `${at}/${counted}`;
    if (!nodes.has(key)) {
      const own = at < prefix.length ? prefix[at] : rest;
      const parts = [own, counted ? schema.contains : others].filter((part) => part !== true);
      const whole = parts.length === 0 ? true : parts.length === 1 ? parts[0] : { allOf: parts };
      nodes.set(key, own === undefined ? undefined : tryValue(compiler, whole, where));
    }
    return nodes.get(key);
  };
  const rules = new Map<string, Rule>();
  /** What may come after `place` items (counted up to the last place), of which `found` are of the kind. */
  const after = (place: number, found: number): GrammarNode => {
    const key = `${place}/${found}`;
    const known = rules.get(key);
    if (known !== undefined) return builder.use(known);
    const rule = builder.rule(`items ${key}`);
    rules.set(key, rule);
    const next = (node: GrammarNode | undefined, count: number): GrammarNode =>
      node === undefined
        ? builder.never
        : builder.sequence([
            ...(place === 0 ? [] : [json.comma]),
            node,
            after(Math.min(place + 1, Math.max(places, 1)), count),
          ]);
    const parts: GrammarNode[] = [];
    if (place >= Math.max(least, Math.min(prefix.length, most)) && found >= wanted) parts.push(builder.empty);
    if (place < most) {
      if (found < counts) parts.push(next(item(place, true), found + 1));
      parts.push(next(item(place, false), found));
    }
    rule.body = builder.choice(parts);
    return builder.use(rule);
  };
  const inside = after(0, 0);
  return builder.sequence([builder.literal("["), json.space, inside, json.space, builder.literal("]")]);
}
