/** Short ways to write neutral generation events in tests. */
import type { GenerateEvent, PositionLogprobs, TokenLogprob } from "../../src/contract/generation.ts";
import { version } from "./fake-gateway.ts";

const encoder = new TextEncoder();

export const candidate = (tokenId: number, token: string, logprob: number, rank: number): TokenLogprob => ({
  tokenId,
  token,
  bytes: [...encoder.encode(token)],
  logprob,
  rank,
});

export const position = (chosen: TokenLogprob, ...top: TokenLogprob[]): PositionLogprobs => ({ ...chosen, top });

export const promptEvent = (
  tokenIds: readonly number[],
  more: Partial<Extract<GenerateEvent, { type: "prompt" }>> = {},
): GenerateEvent => ({ type: "prompt", prompt: 0, tokenIds, cachedTokens: 0, text: null, ...more });

export const delta = (
  text: string,
  tokenIds: readonly number[],
  more: Partial<Extract<GenerateEvent, { type: "delta" }>> = {},
): GenerateEvent => ({ type: "delta", prompt: 0, sample: 0, text, tokenIds, ...more });

export const finish = (more: Partial<Extract<GenerateEvent, { type: "finish" }>> = {}): GenerateEvent => ({
  type: "finish",
  prompt: 0,
  sample: 0,
  reason: "length",
  stopReason: null,
  ...more,
});

export const end = (first = 7, last = first): GenerateEvent => ({
  type: "end",
  firstVersion: version(first),
  lastVersion: version(last),
});
