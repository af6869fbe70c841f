/** Whole texts through the grammar of a constraint, and the words of a refusal. */
import assert from "node:assert/strict";
import type { OutputConstraint } from "../../src/contract/sampling.ts";
import { GatewayError } from "../../src/errors.ts";
import { Automaton, type GrammarState } from "../../src/worker/grammar/automaton.ts";
import { compileGrammar } from "../../src/worker/grammar/compile.ts";

const PARAM = "structured_outputs";

export function matcher(constraint: OutputConstraint): (text: string) => boolean {
  const automaton = new Automaton(compileGrammar({ constraint, param: PARAM }));
  return (text) => {
    let state: GrammarState | null = automaton.start();
    for (const byte of new TextEncoder().encode(text)) {
      if (state === null) return false;
      state = automaton.advance(state, byte);
    }
    return state?.complete === true;
  };
}

export const regex = (pattern: string): ((text: string) => boolean) => matcher({ kind: "regex", pattern });

/** Values, as JSON.stringify writes them. */
export function json(schema: unknown): (value: unknown) => boolean {
  const takes = matcher({ kind: "json", schema: JSON.stringify(schema) });
  return (value) => takes(JSON.stringify(value));
}

/** "accepted" where there is none. */
export function refusal(constraint: OutputConstraint): string {
  try {
    compileGrammar({ constraint, param: PARAM });
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.status, 400);
    return error.message;
  }
  return "accepted";
}
