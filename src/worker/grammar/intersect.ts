/**
 * Texts that several regular parts have in common, and others have not: their automata run side by side, each combination of states becomes a rule.
 * For parts that hold rules which contain themselves there may be no end; the bound then says so.
 */
import { Automaton, type GrammarState } from "./automaton.ts";
import type { GrammarBuilder, GrammarNode, Rule } from "./nodes.ts";

/** Combinations of states: an e-mail address by format and by pattern has some hundreds. */
const STATES_LIMIT = 3000;

/** One per part; null: no text of a part that must not be goes on so. */
type States = readonly (GrammarState | null)[];

/**
 * null when there are too many states to follow. A node without texts is `never`.
 *
 * @param without parts whose texts are left out
 */
export function intersect(
  builder: GrammarBuilder,
  parts: readonly GrammarNode[],
  without: readonly GrammarNode[] = [],
): GrammarNode | null {
  const automata = [...parts, ...without].map((part) => new Automaton(builder.build(part)));
  const ids = new Map<GrammarState, number>();
  const idOf = (state: GrammarState | null): number => {
    if (state === null) return -1;
    const known = ids.get(state) ?? ids.size;
    ids.set(state, known);
    return known;
  };
  const rules = new Map<string, Rule>();
  const todo: [Rule, States][] = [];
  const ruleOf = (states: States): Rule => {
    const key = states.map(idOf).join();
    const known = rules.get(key);
    if (known !== undefined) return known;
    const rule = builder.rule(`both ${rules.size}`);
    rules.set(key, rule);
    todo.push([rule, states]);
    return rule;
  };
  const root = ruleOf(automata.map((automaton) => automaton.start()));
  for (let item = todo.pop(); item !== undefined; item = todo.pop()) {
    if (rules.size > STATES_LIMIT) return null;
    const [rule, states] = item;
    const byTarget = new Map<Rule, number[]>();
    for (let byte = 0; byte < 256; byte += 1) {
      const next: (GrammarState | null)[] = [];
      for (const [index, state] of states.entries()) {
        const to = state === null ? null : automata[index]!.advance(state, byte);
        if (to === null && index < parts.length) break;
        next.push(to);
      }
      if (next.length < states.length) continue;
      const target = ruleOf(next);
      const bytes = byTarget.get(target) ?? [];
      bytes.push(byte);
      byTarget.set(target, bytes);
    }
    const rest = [...byTarget].map(([to, bytes]) => builder.sequence([builder.oneOf(bytes), builder.use(to)]));
    const whole = states.every((state, index) => (state?.complete ?? false) === index < parts.length);
    rule.body = builder.choice(whole ? [builder.empty, ...rest] : rest);
  }
  const use = builder.use(root);
  return builder.build(use).productive[use.id] === 1 ? use : builder.never;
}
