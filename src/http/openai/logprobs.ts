/** Logprobs in the shapes of vLLM's OpenAI server. Pure; maps keep the order that vLLM writes (chosen first, then by rank). */
import type { PositionLogprobs, TokenLogprob } from "../../contract/generation.ts";

/** vLLM's stand-in for what JSON cannot say. */
const LEAST_LOGPROB = -9999;

/** -Infinity and NaN become -9999, as vLLM clamps. */
export const clampLogprob = (logprob: number): number =>
  Number.isNaN(logprob) ? LEAST_LOGPROB : Math.max(logprob, LEAST_LOGPROB);

/** The chosen token first, then the others by rank, each once. */
export function candidatesOf(position: PositionLogprobs): readonly TokenLogprob[] {
  return [position, ...position.top.filter((other) => other.tokenId !== position.tokenId)];
}

const encoder = new TextEncoder();
const nameOf = (entry: TokenLogprob, asIds: boolean): string => (asIds ? `token_id:${entry.tokenId}` : entry.token);

/** Python's len: code points. */
function lengthOf(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** A position of an echoed prompt; the first token has no logprob. */
export type EchoPosition = PositionLogprobs | { readonly tokenId: number; readonly token: string; readonly top: null };

/**
 * Builds `choices[].logprobs` of completions. `text_offset` counts code points of the *tokens*, not of the text, from
 * `offset` on; returns the next offset for streams.
 */
export function toCompletionLogprobs(
  positions: readonly EchoPosition[],
  options: { readonly top: number; readonly asIds: boolean; readonly offset: number },
): { readonly logprobs: Record<string, unknown>; readonly offset: number } {
  const { top, asIds } = options;
  let offset = options.offset;
  const text_offset: number[] = [];
  const token_logprobs: (number | null)[] = [];
  const tokens: string[] = [];
  const top_logprobs: (Map<string, number> | null)[] = [];
  for (const position of positions) {
    const token = position.top === null && !asIds ? position.token : nameOf(position as TokenLogprob, asIds);
    text_offset.push(offset);
    tokens.push(token);
    offset += lengthOf(token);
    if (position.top === null) {
      token_logprobs.push(null);
      top_logprobs.push(null);
      continue;
    }
    token_logprobs.push(clampLogprob(position.logprob));
    const candidates = candidatesOf(position).slice(0, top + 1);
    top_logprobs.push(new Map(candidates.map((entry) => [nameOf(entry, asIds), clampLogprob(entry.logprob)])));
  }
  return { logprobs: { text_offset, token_logprobs, tokens, top_logprobs }, offset };
}

/** Builds `choices[].logprobs` of chat. `top` limits the candidates, the chosen one included, as in vLLM. */
export function toChatLogprobs(
  positions: readonly PositionLogprobs[],
  options: { readonly top: number; readonly asIds: boolean },
): Record<string, unknown> {
  const { top, asIds } = options;
  return {
    content: positions.map((position) => ({
      token: nameOf(position, asIds),
      logprob: clampLogprob(position.logprob),
      bytes: position.bytes,
      top_logprobs: candidatesOf(position)
        .slice(0, top)
        .map((entry) => ({
          token: nameOf(entry, asIds),
          logprob: clampLogprob(entry.logprob),
          // vLLM gives the bytes of the shown name here.
          bytes: asIds ? [...encoder.encode(nameOf(entry, true))] : entry.bytes,
        })),
    })),
  };
}

/** Builds `prompt_logprobs`: one map per prompt token, id → candidate; null for the first. */
export function toPromptLogprobs(positions: readonly (PositionLogprobs | null)[]): unknown[] {
  return positions.map((position) =>
    position === null
      ? null
      : new Map(
          candidatesOf(position).map((entry) => [
            String(entry.tokenId),
            { logprob: clampLogprob(entry.logprob), rank: entry.rank, decoded_token: entry.token },
          ]),
        ),
  );
}
