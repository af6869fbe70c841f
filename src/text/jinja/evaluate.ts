/** Expressions → values, with Python's semantics as jinja2 compiles them. Each node evaluated is charged. */
import { getAttribute, getItem, getSlice } from "./access.ts";
import type { Arguments, Expression } from "./ast.ts";
import { charge, STEP } from "./budget.ts";
import { arithmetic, compare, concatenate, contains, isEqual, unary } from "./operators.ts";
import { toText } from "./text.ts";
import {
  Callable,
  Dict,
  fail,
  isTrue,
  iterate,
  type Kwargs,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** A filter: the value, the arguments, the named arguments. */
export type Filter = (value: Value, args: readonly Value[], kwargs: Kwargs) => Value;

/** What expressions may ask for by name. */
export interface Names {
  readonly variables: (name: string) => Value | undefined;
  readonly filter: (name: string) => Filter | undefined;
  readonly test: (name: string) => ((value: Value, args: readonly Value[], kwargs: Kwargs) => boolean) | undefined;
}

/** Calls a value. Throws TemplateFailure when it is none that can be called. */
export function callValue(target: Value, args: readonly Value[], kwargs: Kwargs): Value {
  if (target instanceof Callable) return target.call(args, kwargs);
  if (target instanceof Undefined) return target.refuse();
  return fail("TypeError", `'${typeName(target)}' object is not callable`);
}

/** Evaluates the arguments of a call. */
export function evaluateArguments(args: Arguments, names: Names): [Value[], Map<string, Value>] {
  const positional = args.positional.map((arg) => evaluate(arg, names));
  const named = new Map<string, Value>();
  const add = (name: string, value: Value): void => {
    if (named.has(name)) fail("TypeError", `got multiple values for keyword argument '${name}'`);
    named.set(name, value);
  };
  for (const [name, arg] of args.named) add(name, evaluate(arg, names));
  if (args.star !== undefined) positional.push(...iterate(evaluate(args.star, names)));
  if (args.stars !== undefined) {
    const extra = evaluate(args.stars, names);
    if (!(extra instanceof Dict)) return fail("TypeError", "argument after ** must be a mapping");
    for (const [key, value] of extra.entries()) add(toText(key), value);
  }
  return [positional, named];
}

const ORDER: Readonly<Record<string, (order: number) => boolean>> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

function compareBy(sign: string, left: Value, right: Value): boolean {
  if (sign === "==") return isEqual(left, right);
  if (sign === "!=") return !isEqual(left, right);
  if (sign === "in") return contains(right, left);
  if (sign === "not in") return !contains(right, left);
  return ORDER[sign]?.(compare(left, right, sign)) ?? false;
}

function compareChain(node: Extract<Expression, { type: "compare" }>, names: Names): boolean {
  let left = evaluate(node.first, names);
  for (const [sign, operand] of node.rest) {
    const right = evaluate(operand, names);
    if (!compareBy(sign, left, right)) return false;
    left = right;
  }
  return true;
}

function evaluateItem(target: Value, key: Expression, names: Names): Value {
  if (key.type !== "slice") return getItem(target, evaluate(key, names));
  const part = (expression: Expression | null): Value => (expression === null ? null : evaluate(expression, names));
  return getSlice(target, part(key.start), part(key.stop), part(key.step));
}

/** Applies a filter chain's last link to `value`. */
export function applyFilter(node: Extract<Expression, { type: "filter" }>, value: Value, names: Names): Value {
  const filter = names.filter(node.name);
  if (filter === undefined) return fail("TemplateRuntimeError", `No filter named '${node.name}' found.`);
  const [args, kwargs] = evaluateArguments(node.args, names);
  return filter(value, args, kwargs);
}

/** The value of an expression. Throws TemplateFailure with Python's exception, or BudgetExceeded. */
export function evaluate(node: Expression, names: Names): Value {
  charge(STEP);
  switch (node.type) {
    case "const":
      return node.value;
    case "name": {
      const value = names.variables(node.name);
      return value === undefined ? new Undefined(`'${node.name}' is undefined`) : value;
    }
    case "list":
      return node.items.map((item) => evaluate(item, names));
    case "tuple":
      return new Tuple(node.items.map((item) => evaluate(item, names)));
    case "dict": {
      const made = new Dict();
      for (const [key, item] of node.entries) made.set(evaluate(key, names), evaluate(item, names));
      return made;
    }
    case "attribute":
      return getAttribute(evaluate(node.target, names), node.name);
    case "item":
      return evaluateItem(evaluate(node.target, names), node.key, names);
    case "slice":
      return fail("TemplateSyntaxError", "a slice stands only in brackets");
    case "call": {
      const target = evaluate(node.target, names);
      const [args, kwargs] = evaluateArguments(node.args, names);
      return callValue(target, args, kwargs);
    }
    case "filter":
      return applyFilter(node, node.target === null ? null : evaluate(node.target, names), names);
    case "test": {
      const test = names.test(node.name);
      if (test === undefined) return fail("TemplateRuntimeError", `No test named '${node.name}' found.`);
      const value = evaluate(node.target, names);
      const [args, kwargs] = evaluateArguments(node.args, names);
      return test(value, args, kwargs);
    }
    case "binary":
      return arithmetic(node.sign, evaluate(node.left, names), evaluate(node.right, names));
    case "unary": {
      const value = evaluate(node.operand, names);
      return node.sign === "not" ? !isTrue(value) : unary(node.sign, value);
    }
    case "logic": {
      const left = evaluate(node.left, names);
      return isTrue(left) === (node.sign === "and") ? evaluate(node.right, names) : left;
    }
    case "compare":
      return compareChain(node, names);
    case "concat":
      return concatenate(node.items.map((item) => evaluate(item, names)));
    case "if":
      if (isTrue(evaluate(node.test, names))) return evaluate(node.then, names);
      return node.otherwise === null
        ? new Undefined("the inline if-expression evaluated to false and no else section was defined.")
        : evaluate(node.otherwise, names);
  }
}
