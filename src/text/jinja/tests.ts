/** The tests of jinja2 (`x is …`), by name. */
import { intOf, numberOf } from "./numbers.ts";
import { arithmetic, compare, contains, isEqual } from "./operators.ts";
import { toText } from "./text.ts";
import { Callable, Dict, fail, isIterable, PyFloat, Range, Tuple, Undefined, type Value } from "./values.ts";

/** A test: the value, then its arguments. */
export type Test = (value: Value, args: readonly Value[]) => boolean;

const remainder = (value: Value, by: Value): Value => arithmetic("%", value, by);
const text = (value: Value): string => toText(value);
const cased = (value: string): boolean => value.toLowerCase() !== value.toUpperCase();
const need = (args: readonly Value[]): Value =>
  args[0] ?? (args.length > 0 ? null : fail("TypeError", "a test is missing its argument"));

const equal: Test = (value, args) => isEqual(value, need(args));
const unequal: Test = (value, args) => !isEqual(value, need(args));
const less: Test = (value, args) => compare(value, need(args), "<") < 0;
const atMost: Test = (value, args) => compare(value, need(args), "<=") <= 0;
const more: Test = (value, args) => compare(value, need(args), ">") > 0;
const atLeast: Test = (value, args) => compare(value, need(args), ">=") >= 0;
const isInt = (value: Value): boolean => intOf(value) !== undefined && typeof value !== "boolean";

/** Identity, as far as values here have one: small numbers and equal strings are the same object in practice. */
function isSame(a: Value, b: Value): boolean {
  return a === b || (a instanceof Undefined && a === b);
}

/** Every test but `filter` and `test`, which ask about names and are the evaluator's. */
export const TESTS: Readonly<Record<string, Test>> = {
  odd: (value) => isEqual(remainder(value, 2), 1),
  even: (value) => isEqual(remainder(value, 2), 0),
  divisibleby: (value, args) => isEqual(remainder(value, need(args)), 0),
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  false: (value) => value === false,
  true: (value) => value === true,
  integer: isInt,
  float: (value) => value instanceof PyFloat,
  lower: (value) => text(value) === text(value).toLowerCase() && cased(text(value)),
  upper: (value) => text(value) === text(value).toUpperCase() && cased(text(value)),
  string: (value) => typeof value === "string",
  mapping: (value) => value instanceof Dict,
  number: (value) => numberOf(value) !== undefined,
  // What has a length and `[]`: views of a dict have no `[]`.
  sequence: (value) =>
    typeof value === "string" ||
    Array.isArray(value) ||
    value instanceof Tuple ||
    value instanceof Dict ||
    value instanceof Range ||
    value instanceof Undefined,
  iterable: isIterable,
  callable: (value) => value instanceof Callable || value instanceof Undefined,
  sameas: (value, args) => isSame(value, need(args)),
  escaped: () => false,
  in: (value, args) => contains(need(args), value),
  "==": equal,
  eq: equal,
  equalto: equal,
  "!=": unequal,
  ne: unequal,
  "<": less,
  lt: less,
  lessthan: less,
  "<=": atMost,
  le: atMost,
  ">": more,
  gt: more,
  greaterthan: more,
  ">=": atLeast,
  ge: atLeast,
};
