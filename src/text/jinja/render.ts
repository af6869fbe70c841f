/** Runs a parsed template: statements, scopes, loops, macros, and the spans of `{% generation %}`. */
import type { Expression, MacroBody, Statement, Target } from "./ast.ts";
import { BudgetExceeded, charge, STEP } from "./budget.ts";
import { applyFilter, callValue, evaluate, evaluateArguments, type Filter, type Names } from "./evaluate.ts";
import { createCallingFilters, LIST_FILTERS } from "./filters-list.ts";
import { TEXT_FILTERS } from "./filters-text.ts";
import { createGlobals } from "./globals.ts";
import { createLoop } from "./loop.ts";
import type { Program } from "./parser.ts";
import { TESTS, type Test } from "./tests.ts";
import { toText } from "./text.ts";
import {
  Callable,
  Dict,
  fail,
  isTrue,
  iterate,
  type Kwargs,
  Namespace,
  pointLength,
  Tuple,
  Undefined,
  type Value,
} from "./values.ts";

/** Deepest chain of macros and recursive loops; Python's own stack ends near a few hundred of them. */
const CALL_LIMIT = 200;

/** Longest text that is made, in UTF-16 units: some four million tokens. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;

class Scope {
  readonly #own = new Map<string, Value>();
  readonly parent: Scope | undefined;
  constructor(parent?: Scope) {
    this.parent = parent;
  }
  get(name: string): Value | undefined {
    let scope: Scope | undefined = this;
    while (scope !== undefined) {
      const value = scope.#own.get(name);
      if (value !== undefined) return value;
      scope = scope.parent;
    }
    return undefined;
  }
  set(name: string, value: Value): void {
    this.#own.set(name, value);
  }
}

/** Where text goes: the root's output, or a capture's. */
class Sink {
  readonly parts: string[] = [];
  /** In code points: where spans are counted. */
  points = 0;
  write(text: string): void {
    charge(text.length);
    this.parts.push(text);
    this.points += pointLength(text);
  }
  toString(): string {
    return this.parts.join("");
  }
}

type Flow = "break" | "continue" | undefined;

/** A rendered template. */
export interface Rendered {
  readonly text: string;
  /** `[start, end)` of each `{% generation %}` block, in code points, as transformers tracks them. */
  readonly generationSpans: readonly (readonly [start: number, end: number])[];
}

const callingFilters = createCallingFilters({
  filter: (name) => findFilter(name),
  test: (name) => findTest(name),
});
const FILTERS: Readonly<Record<string, Filter>> = { ...TEXT_FILTERS, ...LIST_FILTERS, ...callingFilters };
const ALL_TESTS: Readonly<Record<string, Test>> = {
  ...TESTS,
  filter: (value) => Object.hasOwn(FILTERS, toText(value)),
  test: (value) => Object.hasOwn(ALL_TESTS, toText(value)),
};
const findFilter = (name: string): Filter | undefined => (Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined);
const findTest = (name: string): Test | undefined => (Object.hasOwn(ALL_TESTS, name) ? ALL_TESTS[name] : undefined);

/** The names a template may use; unknown ones are refused while parsing. */
export const KNOWN_NAMES = {
  filters: new Set(Object.keys(FILTERS)),
  tests: new Set(Object.keys(ALL_TESTS)),
} as const;

class Renderer {
  readonly #root = new Sink();
  readonly #spans: [number, number][] = [];
  #calls = 0;
  #made = 0;

  run(program: Program, variables: Iterable<readonly [string, Value]>, strftime: (format: string) => string): Rendered {
    const globals = new Scope();
    for (const [name, value] of createGlobals(strftime)) globals.set(name, value);
    const context = new Scope(globals);
    for (const [name, value] of variables) context.set(name, value);
    this.#block(program.body, context, this.#root);
    return { text: this.#root.toString(), generationSpans: this.#spans };
  }

  #names(scope: Scope): Names {
    return { variables: (name) => scope.get(name), filter: findFilter, test: findTest };
  }
  #evaluate(expression: Expression, scope: Scope): Value {
    return evaluate(expression, this.#names(scope));
  }
  #write(sink: Sink, text: string): void {
    this.#made += text.length;
    if (this.#made > OUTPUT_LIMIT) throw new BudgetExceeded("it makes too much text");
    sink.write(text);
  }

  /** Guards what can call itself: macros and recursive loops. */
  #nested<T>(work: () => T): T {
    this.#calls += 1;
    if (this.#calls > CALL_LIMIT) fail("RecursionError", "maximum recursion depth exceeded");
    try {
      return work();
    } finally {
      this.#calls -= 1;
    }
  }
  #capture(body: readonly Statement[], scope: Scope): string {
    const sink = new Sink();
    this.#block(body, scope, sink);
    return sink.toString();
  }

  #block(body: readonly Statement[], scope: Scope, sink: Sink): Flow {
    for (const statement of body) {
      const flow = this.#statement(statement, scope, sink);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  #statement(node: Statement, scope: Scope, sink: Sink): Flow {
    charge(STEP);
    switch (node.type) {
      case "data":
        this.#write(sink, node.text);
        return undefined;
      case "print":
        this.#write(sink, toText(this.#evaluate(node.value, scope)));
        return undefined;
      case "if":
        for (const [test, body] of node.branches) {
          if (isTrue(this.#evaluate(test, scope))) return this.#block(body, scope, sink);
        }
        return this.#block(node.otherwise, scope, sink);
      case "for":
        this.#for(node, this.#evaluate(node.iterable, scope), scope, sink, 1);
        return undefined;
      case "set":
        this.#assign(node.target, this.#evaluate(node.value, scope), scope);
        return undefined;
      case "set-block": {
        const text = this.#capture(node.body, new Scope(scope));
        this.#assign(node.target, node.filter === null ? text : this.#filtered(node.filter, text, scope), scope);
        return undefined;
      }
      case "with": {
        const inner = new Scope(scope);
        for (const [target, value] of node.bindings) this.#assign(target, this.#evaluate(value, inner), inner);
        return this.#block(node.body, inner, sink);
      }
      case "macro":
        scope.set(node.macro.name, this.#macro(node.macro, scope));
        return undefined;
      case "call-block": {
        const caller = this.#macro(node.macro, scope);
        this.#write(sink, toText(this.#call(node.call, caller, scope)));
        return undefined;
      }
      case "filter-block":
        this.#write(sink, toText(this.#filtered(node.filter, this.#capture(node.body, new Scope(scope)), scope)));
        return undefined;
      case "generation": {
        const start = this.#root.points;
        const text = this.#capture(node.body, new Scope(scope));
        this.#spans.push([start, start + pointLength(text)]);
        this.#write(sink, text);
        return undefined;
      }
      case "block":
        return this.#block(node.body, new Scope(scope), sink);
      default:
        return node.type;
    }
  }

  #filtered(filter: Expression, text: string, scope: Scope): Value {
    const apply = (node: Expression): Value => {
      if (node.type !== "filter") return fail("TemplateSyntaxError", "expected a filter");
      return applyFilter(node, node.target === null ? text : apply(node.target), this.#names(scope));
    };
    return apply(filter);
  }

  #call(node: Expression, caller: Callable, scope: Scope): Value {
    if (node.type !== "call") return fail("TemplateSyntaxError", "expected call");
    const target = this.#evaluate(node.target, scope);
    const [args, kwargs] = evaluateArguments(node.args, this.#names(scope));
    kwargs.set("caller", caller);
    return callValue(target, args, kwargs);
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.type === "name") scope.set(target.name, value);
    else if (target.type === "field") {
      const owner = scope.get(target.name);
      if (!(owner instanceof Namespace))
        fail("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
      else owner.set(target.field, value);
    } else {
      const items = [...iterate(value)];
      const wanted = target.items.length;
      if (items.length < wanted)
        fail("ValueError", `not enough values to unpack (expected ${wanted}, got ${items.length})`);
      if (items.length > wanted) fail("ValueError", `too many values to unpack (expected ${wanted})`);
      for (const [index, inner] of target.items.entries()) this.#assign(inner, items[index] ?? null, scope);
    }
  }

  #for(node: Extract<Statement, { type: "for" }>, iterable: Value, scope: Scope, sink: Sink, depth: number): void {
    let items: Value[] = [...iterate(iterable)];
    if (node.test !== null) {
      const { test } = node;
      items = items.filter((item) => {
        const inner = new Scope(scope);
        this.#assign(node.target, item, inner);
        return isTrue(this.#evaluate(test, inner));
      });
    }
    const again = (value: Value): Value => {
      if (!node.recursive)
        return fail("TypeError", "The loop must have the 'recursive' marker to be called recursively.");
      return this.#nested(() => {
        const inner = new Sink();
        this.#for(node, value, scope, inner, depth + 1);
        return inner.toString();
      });
    };
    const loop = createLoop(items, depth, again);
    for (const item of items) {
      loop.advance();
      const inner = new Scope(scope);
      inner.set("loop", loop.value);
      this.#assign(node.target, item, inner);
      if (this.#block(node.body, inner, sink) === "break") break;
    }
    if (items.length === 0) this.#block(node.otherwise, new Scope(scope), sink);
  }

  #macro(macro: MacroBody, scope: Scope): Callable {
    const describe = (name: string): Value | undefined => {
      if (name === "name") return macro.name;
      if (name === "arguments") return new Tuple([...macro.parameters]);
      if (name === "catch_kwargs") return macro.uses.has("kwargs");
      if (name === "catch_varargs") return macro.uses.has("varargs");
      return name === "caller" ? macro.uses.has("caller") : undefined;
    };
    return new Callable(
      macro.name,
      (args, kwargs) => this.#nested(() => this.#callMacro(macro, scope, args, kwargs)),
      describe,
    );
  }

  #callMacro(macro: MacroBody, scope: Scope, args: readonly Value[], kwargs: Kwargs): Value {
    const inner = new Scope(scope);
    const { parameters, standards, name } = macro;
    const extra = new Map(kwargs);
    const offset = parameters.length - standards.length;
    for (const [index, parameter] of parameters.entries()) {
      const given = args[index] === undefined ? extra.get(parameter) : args[index];
      if (index >= args.length) extra.delete(parameter);
      else if (extra.has(parameter)) {
        fail("TypeError", `macro '${name}' got multiple values for argument '${parameter}'`);
      }
      const standard = standards[index - offset];
      if (given !== undefined) inner.set(parameter, given);
      else if (standard !== undefined) inner.set(parameter, this.#evaluate(standard, inner));
      else inner.set(parameter, new Undefined(`parameter '${parameter}' was not provided`));
    }
    if (macro.uses.has("caller") && !parameters.includes("caller")) {
      inner.set("caller", extra.get("caller") ?? new Undefined("No caller defined"));
      extra.delete("caller");
    }
    if (macro.uses.has("kwargs")) {
      const rest = new Dict();
      for (const [key, value] of extra) rest.set(key, value);
      inner.set("kwargs", rest);
    } else if (extra.size > 0) {
      if (extra.has("caller"))
        fail("TypeError", `macro '${name}' was invoked with two values for the special caller argument`);
      fail("TypeError", `macro '${name}' takes no keyword argument '${[...extra.keys()][0]}'`);
    }
    if (macro.uses.has("varargs")) inner.set("varargs", new Tuple(args.slice(parameters.length)));
    else if (args.length > parameters.length) {
      fail("TypeError", `macro '${name}' takes not more than ${parameters.length} argument(s)`);
    }
    return this.#capture(macro.body, inner);
  }
}

/**
 * Renders a parsed template. `variables` win over the globals. Throws TemplateFailure, or BudgetExceeded where the
 * purse of `withBudget` is empty.
 */
export function renderProgram(
  program: Program,
  variables: Iterable<readonly [string, Value]>,
  strftime: (format: string) => string,
): Rendered {
  return new Renderer().run(program, variables, strftime);
}
