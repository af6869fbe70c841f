/**
 * A grammar as a value: a graph of nodes over bytes. Builders of regular expressions, JSON schemas and EBNF make it,
 * `automaton.ts` runs it. Bounded while it is built, so that nothing here can grow with a number in a request.
 */
import { GatewayError } from "../../errors.ts";

/** Bit b of word b >> 5: byte b. */
export type ByteSet = Uint32Array;

export type GrammarNode =
  /** The empty text. */
  | { readonly id: number; readonly kind: "empty" }
  /** No text at all. */
  | { readonly id: number; readonly kind: "never" }
  | { readonly id: number; readonly kind: "bytes"; readonly set: ByteSet }
  | { readonly id: number; readonly kind: "sequence"; readonly items: readonly GrammarNode[] }
  | { readonly id: number; readonly kind: "choice"; readonly items: readonly GrammarNode[] }
  /** `max` may be Infinity. */
  | {
      readonly id: number;
      readonly kind: "repeat";
      readonly body: GrammarNode;
      readonly min: number;
      readonly max: number;
    }
  | { readonly id: number; readonly kind: "rule"; readonly rule: Rule };

/** A named node, so that grammars can be recursive. */
export interface Rule {
  readonly name: string;
  body: GrammarNode | null;
}

export interface Grammar {
  readonly root: GrammarNode;
  /** Nodes that were made: a measure of its size. */
  readonly size: number;
  /** By node id, 1 = some text of finite length matches it: nothing else is ever entered. */
  readonly productive: Uint8Array;
}

/** Nodes of one grammar. Real schemas need some thousands; the automaton's keys count on this bound. */
export const NODE_LIMIT = 100_000;

/** Repetitions with an end beyond this are nested by the builder: the automaton's keys have 14 bits for a count. */
const REPEAT_LIMIT = 16_000;

const encoder = new TextEncoder();

const setOf = (bytes: Iterable<number>): ByteSet => {
  const set = new Uint32Array(8);
  for (const byte of bytes) set[byte >> 5]! |= 1 << (byte & 31);
  return set;
};

/** Makes nodes, simplified where that is free. One builder per grammar. */
export class GrammarBuilder {
  #size = 0;
  readonly #bytes = new Map<string, GrammarNode>();
  readonly empty: GrammarNode = { id: this.#id(), kind: "empty" };
  readonly never: GrammarNode = { id: this.#id(), kind: "never" };

  get size(): number {
    return this.#size;
  }

  #id(): number {
    if (this.#size >= NODE_LIMIT) {
      throw new GatewayError("limit_exceeded", `The grammar is too large: it needs more than ${NODE_LIMIT} states.`);
    }
    this.#size += 1;
    return this.#size - 1;
  }

  /** One byte of a set. */
  oneOf(bytes: Iterable<number>): GrammarNode {
    const set = setOf(bytes);
    const key = set.join();
    const known = this.#bytes.get(key);
    if (known !== undefined) return known;
    const node: GrammarNode = { id: this.#id(), kind: "bytes", set };
    this.#bytes.set(key, node);
    return node;
  }

  /** One byte from `from` to `to`, both included. */
  range(from: number, to: number): GrammarNode {
    return this.oneOf(Array.from({ length: to - from + 1 }, (_, index) => from + index));
  }

  /** A text as it is, in UTF-8. */
  literal(text: string): GrammarNode {
    return this.sequence(Array.from(encoder.encode(text), (byte) => this.oneOf([byte])));
  }

  sequence(items: readonly GrammarNode[]): GrammarNode {
    const flat: GrammarNode[] = [];
    for (const item of items) {
      if (item.kind === "never") return this.never;
      if (item.kind === "sequence") for (const inner of item.items) flat.push(inner);
      else if (item.kind !== "empty") flat.push(item);
    }
    if (flat.length === 0) return this.empty;
    if (flat.length === 1) return flat[0]!;
    return { id: this.#id(), kind: "sequence", items: flat };
  }

  choice(items: readonly GrammarNode[]): GrammarNode {
    const distinct = [...new Set(items)].filter((item) => item.kind !== "never");
    if (distinct.length === 0) return this.never;
    if (distinct.length === 1) return distinct[0]!;
    return { id: this.#id(), kind: "choice", items: distinct };
  }

  optional(body: GrammarNode): GrammarNode {
    return this.choice([this.empty, body]);
  }

  /** `body` from `min` to `max` times; `max` may be Infinity. */
  repeat(body: GrammarNode, min: number, max: number): GrammarNode {
    if (max < min) return this.never;
    if (max === 0 || body.kind === "empty") return this.empty;
    if (body.kind === "never") return min === 0 ? this.empty : this.never;
    if (min === 1 && max === 1) return body;
    if (min > REPEAT_LIMIT || (max !== Number.POSITIVE_INFINITY && max > REPEAT_LIMIT)) {
      throw new GatewayError(
        "limit_exceeded",
        `A repetition may be bounded by ${REPEAT_LIMIT} at most, got {${min},${max}}.`,
      );
    }
    return { id: this.#id(), kind: "repeat", body, min, max };
  }

  rule(name: string): Rule {
    return { name, body: null };
  }

  use(rule: Rule): GrammarNode {
    return { id: this.#id(), kind: "rule", rule };
  }

  build(root: GrammarNode): Grammar {
    return { root, size: this.#size, productive: toProductive(root, this.#size) };
  }
}

/** Every node below `root`, once. */
export function nodesOf(root: GrammarNode): GrammarNode[] {
  const found: GrammarNode[] = [];
  const seen = new Set<number>();
  const todo: GrammarNode[] = [root];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (seen.has(node.id)) continue;
    seen.add(node.id);
    found.push(node);
    if (node.kind === "sequence" || node.kind === "choice") for (const item of node.items) todo.push(item);
    else if (node.kind === "repeat") todo.push(node.body);
    else if (node.kind === "rule" && node.rule.body !== null) todo.push(node.rule.body);
  }
  return found;
}

/** A least fixed point: rules may lead to each other. */
function toProductive(root: GrammarNode, size: number): Uint8Array {
  const productive = new Uint8Array(size);
  const nodes = nodesOf(root).reverse();
  const ends = (node: GrammarNode): boolean => {
    switch (node.kind) {
      case "empty":
      case "bytes":
        return true;
      case "never":
        return false;
      case "sequence":
        return node.items.every(({ id }) => productive[id] === 1);
      case "choice":
        return node.items.some(({ id }) => productive[id] === 1);
      case "repeat":
        return node.min === 0 || productive[node.body.id] === 1;
      case "rule":
        return node.rule.body !== null && productive[node.rule.body.id] === 1;
    }
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of nodes) {
      if (productive[node.id] === 1 || !ends(node)) continue;
      productive[node.id] = 1;
      changed = true;
    }
  }
  return productive;
}
