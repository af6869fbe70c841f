/**
 * Does a template print a message's content, or walk it as a list of parts? Found in its syntax tree as vLLM 0.32 finds it
 * (`renderers/hf.py`, `_detect_content_format`). Says nothing about what messages hold.
 */
import type { Expression, MacroBody, Statement, Target } from "./jinja/ast.ts";
import type { ContentFormat } from "./messages.ts";

type Node = Readonly<Record<string, unknown>> & { readonly type?: unknown };
type For = Extract<Statement, { type: "for" }>;
type Call = Extract<Expression, { type: "call" }>;

/** Every object below, depth first. */
function* walk(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const item of value) yield* walk(item);
  else if (typeof value === "object" && value !== null) {
    yield value as Node;
    for (const child of Object.values(value)) if (typeof child === "object") yield* walk(child);
  }
}

const nodes = <T>(root: unknown, type: string): T[] => [...walk(root)].filter((node) => node.type === type) as T[];

/** Is this the variable (or its `key`), filtered, tested or sliced? */
function reads(node: Expression | null, variable: string, key?: string): boolean {
  if (node === null) return false;
  if (node.type === "filter" || node.type === "test") return reads(node.target, variable, key);
  if (node.type === "item" && node.key.type === "slice") return reads(node.target, variable, key);
  if (key === undefined) return node.type === "name" && node.name === variable;
  if (node.type === "attribute")
    return node.name === key && reads(node.target, variable) && node.target.type === "name";
  return (
    node.type === "item" &&
    node.key.type === "const" &&
    node.key.value === key &&
    node.target.type === "name" &&
    node.target.name === variable
  );
}

const nameOf = (target: Target): string | undefined => (target.type === "name" ? target.name : undefined);

/** `messages` and the variables that were set from it. */
function aliases(body: readonly Statement[]): string[] {
  const found = ["messages"];
  const sets = nodes<Extract<Statement, { type: "set" }>>(body, "set");
  for (const variable of found) {
    for (const { target, value } of sets) {
      const name = nameOf(target);
      if (name !== undefined && !found.includes(name) && reads(value, variable)) found.push(name);
    }
  }
  return found;
}

/** The parameters of `macro` that some call hands a message's content to. */
function contentParameters(macro: MacroBody, calls: readonly Call[], items: readonly string[]): Set<string> {
  const isContent = (value: Expression): boolean => items.some((item) => reads(value, item, "content"));
  const found = new Set<string>();
  for (const { target, args } of calls) {
    if (target.type !== "name" || target.name !== macro.name) continue;
    for (const [index, value] of args.positional.entries()) {
      const parameter = macro.parameters[index];
      if (parameter !== undefined && isContent(value)) found.add(parameter);
    }
    for (const [name, value] of args.named) if (macro.parameters.includes(name) && isContent(value)) found.add(name);
  }
  return found;
}

/** "parts" for a template that loops over a message's content, "string" for any other. */
export function detectContentFormat(body: readonly Statement[]): ContentFormat {
  const loops = nodes<For>(body, "for");
  const lists = aliases(body);
  const items = loops
    .filter(({ iterable }) => lists.some((list) => reads(iterable, list)))
    .map(({ target }) => nameOf(target))
    .filter((name) => name !== undefined);
  const calls = nodes<Call>(body, "call");
  const inMacros = new Map<For, Set<string>>();
  for (const { macro } of nodes<{ macro: MacroBody }>(body, "macro")) {
    const parameters = contentParameters(macro, calls, items);
    for (const loop of nodes<For>(macro.body, "for")) inMacros.set(loop, parameters);
  }
  const walksContent = (loop: For): boolean => {
    const { iterable } = loop;
    if (items.some((item) => reads(iterable, item, "content"))) return true;
    if (iterable.type !== "name") return false;
    const parameters = inMacros.get(loop);
    return parameters === undefined ? iterable.name === "content" : parameters.has(iterable.name);
  };
  return loops.some(walksContent) ? "parts" : "string";
}
