/** Arrays whose items differ from each other, where only a few values can be items: each comes once at most. */
import type { GrammarNode, Rule } from "../nodes.ts";
import { sameValue } from "./keywords.ts";
import type { Compiler } from "./objects.ts";
import { Unsatisfiable } from "./problems.ts";

/** Values in any order: 2^this states. More of them come in the order in which the schema lists them. */
const FREE_LIMIT = 6;

/** Arrays of different ones of `values`, from `least` to `most` of them. Throws Unsatisfiable. */
export function uniqueNode(
  { json }: Compiler,
  values: readonly unknown[],
  bounds: { readonly least: number; readonly most: number },
  path: string,
): GrammarNode {
  const { builder } = json;
  const distinct = values.filter((value, index) => values.findIndex((other) => sameValue(other, value)) === index);
  const { least, most } = bounds;
  if (distinct.length < least) throw new Unsatisfiable(path, "minItems asks for more different items than there are");
  const free = distinct.length <= FREE_LIMIT;
  const nodes = distinct.map((value) => json.literal(value));
  const rules = new Map<string, Rule>();
  /** `used`: values that are there (free), or those up to which all are passed; `count`: how many are there. */
  const after = (used: number, count: number): GrammarNode => {
    const key = `${used}/${count}`;
    const known = rules.get(key);
    if (known !== undefined) return builder.use(known);
    const rule = builder.rule(`items ${key}`);
    rules.set(key, rule);
    const parts = count >= least ? [builder.empty] : [];
    if (count < most) {
      for (const [index, node] of nodes.entries()) {
        const taken = free ? ((used >> index) & 1) === 1 : index < used;
        if (taken) continue;
        const next = free ? used | (1 << index) : index + 1;
        parts.push(builder.sequence([...(count === 0 ? [] : [json.comma]), node, after(next, count + 1)]));
      }
    }
    rule.body = builder.choice(parts);
    return builder.use(rule);
  };
  return builder.sequence([builder.literal("["), json.space, after(0, 0), json.space, builder.literal("]")]);
}
