/** Any text in which none of some strings occurs: what stands between tags. */
import { charNode, complement } from "./charset.ts";
import type { GrammarBuilder, GrammarNode, Rule } from "./nodes.ts";

const encoder = new TextEncoder();

/**
 * Text without any of `without`, as long as it likes. An Aho-Corasick automaton whose states are rules, so that the
 * grammar knows how much of a string is already there.
 */
export function freeText(builder: GrammarBuilder, without: readonly string[]): GrammarNode {
  if (without.length === 0 || without.includes("")) {
    return builder.repeat(charNode(builder, complement([])), 0, Number.POSITIVE_INFINITY);
  }
  const children: Map<number, number>[] = [new Map()];
  const ends: boolean[] = [false];
  for (const text of without) {
    let at = 0;
    for (const byte of encoder.encode(text)) {
      let to = children[at]!.get(byte);
      if (to === undefined) {
        to = children.length;
        children.push(new Map());
        ends.push(false);
        children[at]!.set(byte, to);
      }
      at = to;
    }
    ends[at] = true;
  }
  const fallbacks: number[] = children.map(() => 0);
  const step = (state: number, byte: number): number => {
    for (let at = state; ; at = fallbacks[at]!) {
      const to = children[at]!.get(byte);
      if (to !== undefined) return to;
      if (at === 0) return 0;
    }
  };
  const order = [...children[0]!.values()];
  for (const state of order) {
    for (const [byte, to] of children[state]!) {
      fallbacks[to] = step(fallbacks[state]!, byte);
      if (ends[fallbacks[to]!]) ends[to] = true;
      order.push(to);
    }
  }
  const rules: Rule[] = children.map((_, index) => builder.rule(`text ${index}`));
  for (const [state, rule] of rules.entries()) {
    const byTarget = new Map<number, number[]>();
    // 0xf8 and above never occur in UTF-8.
    for (let byte = 0; byte < 0xf8; byte += 1) {
      const to = step(state, byte);
      if (ends[to]) continue;
      const bytes = byTarget.get(to) ?? [];
      bytes.push(byte);
      byTarget.set(to, bytes);
    }
    const parts = [...byTarget].map(([to, bytes]) => builder.sequence([builder.oneOf(bytes), builder.use(rules[to]!)]));
    rule.body = builder.choice([builder.empty, ...parts]);
  }
  return builder.use(rules[0]!);
}
