/**
 * Texts that several regular parts have in common: their automata run side by side, each combination of states becomes a rule.
 * For parts that hold rules which contain themselves there may be no end; the bound then says so.
 */
import { Automaton, type GrammarState } from "./automaton.ts";
import type { GrammarBuilder, GrammarNode, Rule } from "./nodes.ts";

/** Combinations of states: an e-mail address by format and by pattern has some hundreds. */
const STATES_LIMIT = 3000;

type States = readonly GrammarState[];

/** null when there are too many states to follow. A node without texts is `never`. */
export function intersect(builder: GrammarBuilder, parts: readonly GrammarNode[]): GrammarNode | null {
  const automata = parts.map((part) => new Automaton(builder.build(part)));
  const ids = new Map<GrammarState, number>();
  const idOf = (state: GrammarState): number => {
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
      const next: GrammarState[] = [];
      for (const [index, state] of states.entries()) {
        const to = automata[index]!.advance(state, byte);
        if (to === null) break;
        next.push(to);
      }
      if (next.length < states.length) continue;
      const target = ruleOf(next);
      const bytes = byTarget.get(target) ?? [];
      bytes.push(byte);
      byTarget.set(target, bytes);
    }
    const rest = [...byTarget].map(([to, bytes]) => builder.sequence([builder.oneOf(bytes), builder.use(to)]));
    rule.body = builder.choice(states.every(({ complete }) => complete) ? [builder.empty, ...rest] : rest);
  }
  const whole = builder.use(root);
  return builder.build(whole).productive[whole.id] === 1 ? whole : builder.never;
}
