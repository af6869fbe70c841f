/** Arrays of a schema: leading items each of their own kind, then any number of one kind. */
import type { GrammarNode } from "../nodes.ts";
import { containsNode } from "./contains.ts";
import { countOf, type Schema } from "./keywords.ts";
import type { Compiler } from "./objects.ts";
import { malformed, Unsatisfiable, unsupported } from "./problems.ts";
import { uniqueNode } from "./unique.ts";

/** Does `contains` ask for something that counts of items do not say? */
const hasContains = ({ contains, minContains, maxContains }: Schema): boolean =>
  contains !== undefined && !(contains === true && minContains === undefined && maxContains === undefined);

/** Arrays of a schema. Throws Unsatisfiable, and GatewayError for what cannot be followed. */
export function arrayNode(compiler: Compiler, schema: Schema, path: string): GrammarNode {
  const { json } = compiler;
  const { builder } = json;
  const { prefixItems, items, additionalItems } = schema;
  if (prefixItems !== undefined && !Array.isArray(prefixItems)) {
    throw malformed(path, "prefixItems", prefixItems, "a list of schemas");
  }
  const old = prefixItems === undefined && Array.isArray(items);
  if (!old && Array.isArray(items)) throw malformed(path, "items", items, "a schema beside prefixItems");
  const prefix: readonly unknown[] = old ? (items as unknown[]) : (prefixItems ?? []);
  const least = Math.max(countOf(schema, "minItems", path, 0), schema.contains === true ? 1 : 0);
  const most = countOf(schema, "maxItems", path, Number.POSITIVE_INFINITY);
  if (least > most) throw new Unsatisfiable(path, "minItems is above maxItems");
  const rest = old ? additionalItems : items;
  if (schema.uniqueItems === true && most > 1) {
    const values = prefix.length === 0 && !hasContains(schema) ? compiler.few(rest ?? true, path) : undefined;
    if (values !== undefined) return uniqueNode(compiler, values, { least, most }, path);
    throw unsupported(
      path,
      "uniqueItems",
      "a grammar does not remember items; leave it out, use maxItems 1, or items with an enum",
    );
  }
  if (hasContains(schema)) {
    return containsNode(
      compiler,
      schema,
      { prefix, rest: rest === false ? undefined : (rest ?? true), least, most },
      path,
    );
  }
  // Further items come only where the schema speaks of them, or where it asks for more than it lists.
  const open = rest !== false && (rest !== undefined || prefix.length === 0 || least > prefix.length);
  const word = old ? "additionalItems" : "items";
  let further: GrammarNode | null = null;
  if (open && most > prefix.length) {
    try {
      further = compiler.value(rest ?? true, `${path}/${word}`);
    } catch (thrown) {
      if (!(thrown instanceof Unsatisfiable) || least > prefix.length) throw thrown;
    }
  }
  if (prefix.length === 0) {
    if (further === null && least > 0) throw new Unsatisfiable(path, "minItems asks for items that cannot be");
    return json.repeated("[", further ?? builder.never, "]", least, further === null ? 0 : most);
  }
  const heads = prefix
    .slice(0, Number.isFinite(most) ? most : prefix.length)
    .map((item, index) => compiler.value(item, `${path}/${old ? "items" : "prefixItems"}/${index}`));
  if (further === null && heads.length < least) {
    throw new Unsatisfiable(path, "minItems asks for more items than there can be");
  }
  const tail =
    further === null || most <= heads.length
      ? builder.empty
      : builder.repeat(builder.sequence([json.comma, further]), Math.max(0, least - heads.length), most - heads.length);
  const inside = heads.flatMap((head, index) => (index === 0 ? [head] : [json.comma, head]));
  const { space } = json;
  const close = heads.length === 0 ? [] : [...inside, tail, space];
  return builder.sequence([builder.literal("["), space, ...close, builder.literal("]")]);
}
