/**
 * Constraints of requests: compiled once per vocabulary and remembered, one matcher per sequence. Between a step's logits
 * and the sampler; what may come next is computed at most once per state of the grammar.
 */
import type { StructuredOutputs } from "../../contract/sampling.ts";
import { GatewayError } from "../../errors.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Constraint, ConstraintState } from "../batch-types.ts";
import { Automaton, type GrammarState } from "./automaton.ts";
import { compileGrammar } from "./compile.ts";
import type { Grammar } from "./nodes.ts";
import { createVocabulary, maskOf, type Vocabulary } from "./vocabulary.ts";

/** Grammars that are remembered: a training run has a handful. */
const CACHE_LIMIT = 64;
const MASKED = Number.NEGATIVE_INFINITY;

interface Compiled {
  readonly grammar: Grammar;
  automaton: Automaton;
}

class SequenceConstraint implements ConstraintState {
  readonly #vocabulary: Vocabulary;
  readonly #automaton: Automaton;
  #state: GrammarState;

  constructor(vocabulary: Vocabulary, automaton: Automaton) {
    this.#vocabulary = vocabulary;
    this.#automaton = automaton;
    this.#state = automaton.start();
  }

  get complete(): boolean {
    return this.#state.complete;
  }

  mask(logits: Float32Array, ends: Iterable<number>): void {
    this.#state = this.#automaton.settle(this.#state);
    const allowed = maskOf(this.#vocabulary, this.#automaton, this.#state);
    const kept: [number, number][] = [];
    for (const id of ends) if (id < logits.length) kept.push([id, logits[id]!]);
    for (let word = 0; word < allowed.length; word += 1) {
      const bits = allowed[word]!;
      if (bits === 0xffffffff) continue;
      const first = word * 32;
      const last = Math.min(first + 32, logits.length);
      for (let id = first; id < last; id += 1) if (((bits >>> (id - first)) & 1) === 0) logits[id] = MASKED;
    }
    for (let id = allowed.length * 32; id < logits.length; id += 1) logits[id] = MASKED;
    // A sequence ends where its text is whole, and nowhere else.
    for (const [id, logit] of kept) logits[id] = this.#state.complete ? logit : MASKED;
  }

  accept(tokenId: number): void {
    for (const byte of this.#vocabulary.bytesOf(tokenId)) {
      const next = this.#automaton.advance(this.#state, byte);
      if (next === null) throw new Error(`Token ${tokenId} is not one that the grammar allows.`);
      this.#state = next;
    }
  }

  /** The first mask, so that a grammar that explodes is refused before its request begins. */
  warm(): void {
    maskOf(this.#vocabulary, this.#automaton, this.#state);
  }
}

/** Compiles the constraints of one model's requests. */
export interface Constraints {
  /** Throws GatewayError `invalid_value`, `unsupported` or `limit_exceeded`. */
  compile(outputs: StructuredOutputs): Constraint;
}

/** @param size rows of the model's output layer. Nothing is computed before the first constraint. */
export function createConstraints(tokenizer: Tokenizer, size: number): Constraints {
  let vocabulary: Vocabulary | undefined;
  const cache = new Map<string, Compiled>();
  return {
    compile(outputs) {
      const key = JSON.stringify(outputs);
      let compiled = cache.get(key);
      if (compiled === undefined) {
        const grammar = compileGrammar(outputs);
        compiled = { grammar, automaton: new Automaton(grammar) };
      }
      // Lists keep the order of insertion: the least recently used is first.
      cache.delete(key);
      vocabulary ??= createVocabulary(tokenizer, size);
      const words = vocabulary;
      if (compiled.automaton.worn) compiled.automaton = new Automaton(compiled.grammar);
      const { automaton } = compiled;
      try {
        new SequenceConstraint(words, automaton).warm();
      } catch (thrown) {
        if (!(thrown instanceof GatewayError)) throw thrown;
        throw new GatewayError(thrown.code, thrown.message, { param: outputs.param });
      }
      cache.set(key, compiled);
      const [oldest] = cache.keys();
      if (cache.size > CACHE_LIMIT && oldest !== undefined) cache.delete(oldest);
      return { open: () => new SequenceConstraint(words, automaton) };
    },
  };
}
