/**
 * Runs a grammar over bytes. The state is a set of places in the grammar, each with what comes after it (a pushdown
 * automaton); such sets are interned and their transitions remembered, so that text seen before costs a table look-up, as
 * in RE2's lazy DFA. Nothing is computed ahead of use. Work per call and memory are bounded.
 */
import { GatewayError } from "../../errors.ts";
import type { ByteSet, Grammar, GrammarNode } from "./nodes.ts";

/** "Match `node` (of which `count` parts are done), then `next`." */
interface Place {
  readonly id: number;
  readonly node: GrammarNode;
  readonly count: number;
  readonly next: Place | null;
}

/** What may follow a text: interned, so that equal ones are the same object until the tables are dropped. */
export interface GrammarState {
  /** The text so far is whole. */
  readonly complete: boolean;
  /** Places that wait for a byte. */
  readonly places: readonly Place[];
  /** By byte; undefined = not known yet, null = no such text. */
  readonly next: (GrammarState | null | undefined)[];
  /** The same by which places a byte moves: most bytes of a text move the same ones. */
  readonly moves: Map<string | number, GrammarState | null>;
  /** What a reader of the state has computed of it. */
  mask: Uint32Array | undefined;
  /** Which filling of the tables it belongs to. */
  readonly epoch: number;
}

/** States that are remembered. Each takes some 2 KiB, and its mask one bit per token. */
const STATE_LIMIT = 4096;
/** Ids of places: 22 bits of a key. */
const PLACE_LIMIT = 2 ** 22;
/** Places visited between two bytes. A grammar that needs more is ambiguous beyond use. */
const CLOSURE_LIMIT = 20_000;
/** Places that may wait for the same byte. */
const WIDTH_LIMIT = 4096;

/** Explodes at run time: so many ways to read the same text. */
const tooAmbiguous = (): GatewayError =>
  new GatewayError(
    "limit_exceeded",
    `The grammar is too ambiguous: one text can be read in more than ${CLOSURE_LIMIT} ways at a time.`,
  );

const has = (set: ByteSet, byte: number): boolean => ((set[byte >> 5]! >>> (byte & 31)) & 1) === 1;

export class Automaton {
  readonly #grammar: Grammar;
  #places = new Map<number, Place>();
  #states = new Map<string, GrammarState>();
  #nextPlace = 1;
  #visited = new Set<number>();
  #steps = 0;
  #epoch = 0;

  /** Throws GatewayError `limit_exceeded`. */
  constructor(grammar: Grammar) {
    this.#grammar = grammar;
  }

  /** Places visited so far: what work has been done. */
  get steps(): number {
    return this.#steps;
  }

  /** The state before any byte. */
  start(): GrammarState {
    const out: Place[] = [];
    this.#visited.clear();
    const complete = this.#close(this.#place(this.#grammar.root, 0, null), out);
    return this.#intern(out, complete);
  }

  /** The state after one more byte; null when no text of the grammar goes on so. Throws `limit_exceeded`. */
  advance(state: GrammarState, byte: number): GrammarState | null {
    const known = state.next[byte];
    if (known !== undefined) return known;
    const { places } = state;
    const moved: number[] = [];
    for (let index = 0; index < places.length; index += 1) {
      const { node } = places[index]!;
      if (node.kind === "bytes" && has(node.set, byte)) moved.push(index);
    }
    if (moved.length === 0) {
      state.next[byte] = null;
      return null;
    }
    const key = moved.length === 1 ? moved[0]! : moved.join();
    let next = state.moves.get(key);
    if (next === undefined) {
      next = this.#move(moved.map((index) => places[index]!.next));
      state.moves.set(key, next);
    }
    state.next[byte] = next;
    return next;
  }

  #move(rests: readonly (Place | null)[]): GrammarState | null {
    const out: Place[] = [];
    this.#visited.clear();
    let complete = false;
    for (const rest of rests) if (this.#close(rest, out)) complete = true;
    return complete || out.length > 0 ? this.#intern(out, complete) : null;
  }

  /** True when the ids are nearly used up: a new automaton should take over. */
  get worn(): boolean {
    return this.#nextPlace > PLACE_LIMIT / 2;
  }

  /** The same state, in tables that have room: call before a walk over many transitions. */
  settle(state: GrammarState): GrammarState {
    if (this.#states.size >= STATE_LIMIT) {
      this.#places = new Map();
      this.#states = new Map();
      this.#epoch += 1;
    }
    return state.epoch === this.#epoch ? state : this.#intern([...state.places], state.complete);
  }

  #place(node: GrammarNode, count: number, next: Place | null): Place {
    const key = (node.id * 2 ** 22 + (next?.id ?? 0)) * 2 ** 14 + count;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    if (this.#nextPlace >= PLACE_LIMIT) throw tooAmbiguous();
    const made: Place = { id: this.#nextPlace, node, count, next };
    this.#nextPlace += 1;
    this.#places.set(key, made);
    return made;
  }

  #intern(places: Place[], complete: boolean): GrammarState {
    if (places.length > WIDTH_LIMIT) throw tooAmbiguous();
    places.sort((a, b) => a.id - b.id);
    let key = complete ? "c" : "-";
    for (const { id } of places) key += `${id},`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const made: GrammarState = {
      complete,
      places,
      next: new Array(256),
      moves: new Map(),
      mask: undefined,
      epoch: this.#epoch,
    };
    this.#states.set(key, made);
    return made;
  }

  /** Follows everything that needs no byte; returns whether the text may end here. */
  #close(from: Place | null, out: Place[]): boolean {
    let complete = false;
    const todo: (Place | null)[] = [from];
    while (todo.length > 0) {
      const place = todo.pop();
      if (place === null || place === undefined) {
        complete = true;
        continue;
      }
      if (this.#visited.has(place.id)) continue;
      this.#visited.add(place.id);
      this.#steps += 1;
      if (this.#visited.size > CLOSURE_LIMIT) throw tooAmbiguous();
      const { node, count, next } = place;
      if (this.#grammar.productive[node.id] !== 1) continue;
      switch (node.kind) {
        case "bytes":
          out.push(place);
          break;
        case "empty":
          todo.push(next);
          break;
        case "never":
          break;
        case "sequence": {
          const item = node.items[count]!;
          // The last one is followed by what follows all: a list that ends in itself needs no memory of its length.
          const last = count + 1 === node.items.length;
          todo.push(this.#place(item, 0, last ? next : this.#place(node, count + 1, next)));
          break;
        }
        case "choice":
          for (const item of node.items) todo.push(this.#place(item, 0, next));
          break;
        case "repeat": {
          if (count >= node.min) todo.push(next);
          if (count >= node.max) break;
          const endless = node.max === Number.POSITIVE_INFINITY;
          const after = endless ? Math.min(count + 1, node.min) : count + 1;
          const last = !endless && after === node.max;
          todo.push(this.#place(node.body, 0, last ? next : this.#place(node, after, next)));
          break;
        }
        case "rule":
          if (node.rule.body !== null) todo.push(this.#place(node.rule.body, 0, next));
          break;
      }
    }
    return complete;
  }
}
