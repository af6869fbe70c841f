/** Random answers of a constraint: tokens of a real vocabulary, chosen blindly among those that the mask lets through. */
import type { OutputConstraint } from "../../src/contract/sampling.ts";
import { Automaton, type GrammarState } from "../../src/worker/grammar/automaton.ts";
import { compileGrammar } from "../../src/worker/grammar/compile.ts";
import { maskOf, type Vocabulary } from "../../src/worker/grammar/vocabulary.ts";

/** A compiled constraint. */
export interface Walker {
  /** A whole text, or null when `limit` tokens were not enough. */
  walk(random: () => number, limit: number): string | null;
  /** Does the grammar take this text, as a whole? */
  takes(text: string): boolean;
}

/** Chosen rather than others after some tokens, so that values come to an end. */
const CLOSING = new Set(['"', "}", "]", ","]);
const END_CHANCE = 0.25;
const encoder = new TextEncoder();

function allowedOf(vocabulary: Vocabulary, mask: Uint32Array): number[] {
  const ids: number[] = [];
  for (let id = 0; id < vocabulary.size; id += 1) if (((mask[id >> 5]! >>> (id & 31)) & 1) === 1) ids.push(id);
  return ids;
}

const known = new WeakMap<Vocabulary, ReadonlySet<number>>();

function closingOf(vocabulary: Vocabulary): ReadonlySet<number> {
  const found = known.get(vocabulary);
  if (found !== undefined) return found;
  const ids = new Set<number>();
  for (let id = 0; id < vocabulary.size; id += 1) {
    if (CLOSING.has(new TextDecoder().decode(vocabulary.bytesOf(id)))) ids.add(id);
  }
  known.set(vocabulary, ids);
  return ids;
}

/** Throws what compiling throws. */
export function createWalker(constraint: OutputConstraint, vocabulary: Vocabulary): Walker {
  const automaton = new Automaton(compileGrammar({ constraint, param: "structured_outputs" }));
  const closing = closingOf(vocabulary);
  // Free text between tags is a matter of bytes; everything else is a text.
  const decoder = new TextDecoder("utf-8", { fatal: constraint.kind !== "structural_tag" });
  return {
    walk(random, limit) {
      let state = automaton.start();
      const bytes: number[] = [];
      for (let count = 0; count < limit; count += 1) {
        state = automaton.settle(state);
        const allowed = allowedOf(vocabulary, maskOf(vocabulary, automaton, state));
        if (state.complete && (allowed.length === 0 || random() < END_CHANCE)) {
          return decoder.decode(new Uint8Array(bytes));
        }
        if (allowed.length === 0)
          throw new Error(`no token may follow ${JSON.stringify(String.fromCharCode(...bytes))}`);
        const ends = random() < count / limit + 0.2 ? allowed.filter((id) => closing.has(id)) : [];
        const from = ends.length > 0 ? ends : allowed;
        const id = from[Math.floor(random() * from.length)] ?? 0;
        for (const byte of vocabulary.bytesOf(id)) {
          bytes.push(byte);
          const next = automaton.advance(state, byte);
          if (next === null) throw new Error(`token ${id} is masked in and not accepted`);
          state = next;
        }
      }
      return null;
    },
    takes(text) {
      let state: GrammarState | null = automaton.start();
      for (const byte of encoder.encode(text)) {
        if (state === null) return false;
        state = automaton.advance(state, byte);
      }
      return state?.complete === true;
    },
  };
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
