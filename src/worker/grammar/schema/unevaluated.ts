/** `unevaluatedProperties` and `unevaluatedItems`: what they mean once the parts of a schema are one. */
import { isObject, NEGATED, type Schema } from "./keywords.ts";
import { unsupported } from "./problems.ts";

/**
 * "Unevaluated" is what nothing within the same schema speaks of: once all its parts are one, that is "additional". While
 * branches are open the words stay, to be settled in each of them.
 */
export function closeUnevaluated(
  whole: Schema | boolean,
  properties: unknown,
  items: unknown,
  path: string,
): Schema | boolean {
  if ((properties === undefined || properties === true) && (items === undefined || items === true)) return whole;
  if (isObject(whole) && NEGATED in whole) {
    throw unsupported(path, "unevaluatedProperties", "it cannot be combined with not, if or branches that overlap");
  }
  const own: Schema = whole === true ? {} : whole === false ? { not: true } : whole;
  const open = "anyOf" in own || "oneOf" in own;
  const out: Record<string, unknown> = { ...own };
  const close = (word: string, meant: string, value: unknown): void => {
    if (value === undefined) return;
    if (open) out[word] = value;
    else if (out[meant] === undefined) out[meant] = value;
  };
  close("unevaluatedProperties", "additionalProperties", properties);
  close(
    "unevaluatedItems",
    Array.isArray(own.items) && own.prefixItems === undefined ? "additionalItems" : "items",
    items,
  );
  return out;
}

/** A branch and what stands beside its list. */
export function withNeighbours(branch: unknown, rest: Schema): unknown {
  const { unevaluatedProperties, unevaluatedItems, ...others } = rest;
  const joined = Object.keys(others).length === 0 ? branch : { allOf: [branch, others] };
  if (unevaluatedProperties === undefined && unevaluatedItems === undefined) return joined;
  return {
    allOf: [joined],
    ...(unevaluatedProperties === undefined ? {} : { unevaluatedProperties }),
    ...(unevaluatedItems === undefined ? {} : { unevaluatedItems }),
  };
}
