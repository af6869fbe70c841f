/**
 * Which tokens the assistant said: the spans of `{% generation %}` blocks as a mask over tokens, as transformers 5.23 does it
 * (`apply_chat_template(return_assistant_tokens_mask=True)`). Renders and encodes nothing.
 */
import type { Encoded } from "./tokenizer.ts";

/** The first token that stands for each character, as `Encoding.char_to_token`. */
function tokenOfCharacters(offsets: Encoded["offsets"]): ReadonlyMap<number, number> {
  const tokens = new Map<number, number>();
  for (const [token, [start, end]] of offsets.entries()) {
    for (let at = start; at < end; at += 1) if (!tokens.has(at)) tokens.set(at, token);
  }
  return tokens;
}

/**
 * 1 for each token of a span, 0 for the others.
 *
 * Kept as in the original: a span whose end no token stands for, or that ends within the very first token, marks all that
 * follows; a span whose start no token stands for ends the search.
 *
 * @param offsets of the rendered text's tokens, in code points
 * @param spans `[start, end)` in code points
 *
 * @example
 * ```ts
 * import { toAssistantMask } from "./assistant-mask.ts";
 * const mask = toAssistantMask([[0, 2], [2, 5], [5, 6]], [[2, 5]]);
 * if (mask.join("") !== "010") throw new Error(mask.join(""));
 * ```
 */
export function toAssistantMask(
  offsets: Encoded["offsets"],
  spans: readonly (readonly [start: number, end: number])[],
): (0 | 1)[] {
  const tokens = tokenOfCharacters(offsets);
  const mask = offsets.map((): 0 | 1 => 0);
  for (const [from, to] of spans) {
    const first = tokens.get(from);
    const last = tokens.get(to - 1);
    if (first === undefined) break;
    const end = last === undefined || last === 0 ? mask.length : last + 1;
    mask.fill(1, first, Math.max(first, end));
  }
  return mask;
}
