/** One sample's way from token ids to text, logprobs and its end. Knows its own sequence only. */
import type { FinishReason, PositionLogprobs, TokenLogprob } from "../../contract/generation.ts";
import { createDetokenizer } from "../../text/detokenize.ts";
import { createStopMatcher } from "../../text/stop.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { RawLogprobs } from "../batch-types.ts";

/** A character has at most four bytes: three tokens before one are all that its text can depend on. */
const CONTEXT = 3;

/** What a token is by itself: looked up for each candidate of each position, and never changed. */
interface TokenWords {
  readonly text: string;
  /** The text is part of a character, or broken. */
  readonly partial: boolean;
  readonly bytes: readonly number[];
}

const words = new WeakMap<Tokenizer, (TokenWords | undefined)[]>();

function wordsOf(tokenizer: Tokenizer, id: number): TokenWords {
  let known = words.get(tokenizer);
  if (known === undefined) {
    known = [];
    words.set(tokenizer, known);
  }
  const found = known[id];
  if (found !== undefined) return found;
  const text = tokenizer.decode([id], false);
  const made = { text, partial: text.includes("\ufffd"), bytes: [...tokenizer.tokenBytes(id)] };
  known[id] = made;
  return made;
}

/**
 * A token's own text. A token that ends a character begun by tokens before shows the whole character, one that leaves
 * it open shows nothing (vLLM's `_correct_decoded_token`).
 */
export function toTokenText(tokenizer: Tokenizer, id: number, before: readonly number[]): string {
  const { text: alone, partial } = wordsOf(tokenizer, id);
  if (!partial) return alone;
  // Nothing that went before is open: no character can end here.
  const last = before.at(-1);
  if (last === undefined || !wordsOf(tokenizer, last).partial) return "";
  for (let count = 1; count <= Math.min(CONTEXT, before.length); count += 1) {
    const text = tokenizer.decode([...before.slice(-count), id], false);
    if (!text.includes("\ufffd")) return text;
  }
  return "";
}

/** Raw logprobs of one position with the words added. `before` are the ids before that position. */
export function toPosition(tokenizer: Tokenizer, raw: RawLogprobs, before: readonly number[]): PositionLogprobs {
  const named = (tokenId: number, logprob: number, rank: number): TokenLogprob => ({
    tokenId,
    token: toTokenText(tokenizer, tokenId, before),
    bytes: wordsOf(tokenizer, tokenId).bytes,
    logprob,
    rank,
  });
  const top: TokenLogprob[] = [];
  raw.topIds.forEach((id, index) => {
    top.push(named(id, raw.topLogprobs[index] ?? Number.NEGATIVE_INFINITY, index + 1));
  });
  return { ...named(raw.tokenId, raw.logprob, raw.rank), top };
}

export interface SampleDelta {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly logprobs?: readonly PositionLogprobs[];
}

export interface SampleFinish {
  readonly reason: FinishReason;
  readonly stopReason: string | number | null;
}

export interface SampleOutput {
  /** A `finish` here is a stop string: the batcher must be told to let the sample go. */
  token(
    tokenId: number,
    raw: RawLogprobs | null,
  ): { readonly delta: SampleDelta; readonly finish: SampleFinish | null };
  /** The batcher ended it; the delta holds what text was still held back, if any. */
  finish(
    reason: FinishReason,
    stopTokenId: number | null,
  ): { readonly delta: SampleDelta | null; readonly finish: SampleFinish };
}

export interface SampleOptions {
  readonly promptIds: readonly number[];
  readonly stop: readonly string[];
  readonly includeStop: boolean;
  readonly skipSpecialTokens: boolean;
  /** Stop strings are looked for only after so many tokens. */
  readonly minTokens: number;
  /** Tokens that end the sequence; their text is left out unless `includeStop`. */
  readonly isEnd: (tokenId: number) => boolean;
}

/** Starts the output of one sample. */
export function createSampleOutput(tokenizer: Tokenizer, options: SampleOptions): SampleOutput {
  const detokenizer = createDetokenizer(tokenizer, options);
  const matcher = createStopMatcher(options.stop, options.includeStop);
  let before = options.promptIds.slice(-CONTEXT);
  let count = 0;
  /** U+FFFD at the end of the text so far: broken bytes are no text before something comes after them. */
  let broken = 0;
  const settle = (text: string): string => {
    const whole = text.replace(/\ufffd+$/, "");
    const settled = whole === "" ? "" : "\ufffd".repeat(broken) + whole;
    broken = text.length - whole.length + (whole === "" ? broken : 0);
    return settled;
  };
  return {
    token(tokenId, raw) {
      count += 1;
      const silent = options.isEnd(tokenId) && !options.includeStop;
      const text = silent ? "" : settle(detokenizer.push(tokenId));
      const matched = count > options.minTokens ? matcher.push(text) : { text, stopped: null };
      const delta: SampleDelta = {
        text: matched.text,
        tokenIds: [tokenId],
        ...(raw === null ? {} : { logprobs: [toPosition(tokenizer, raw, before)] }),
      };
      before = [...before.slice(1 - CONTEXT), tokenId];
      const finish = matched.stopped === null ? null : ({ reason: "stop", stopReason: matched.stopped } as const);
      return { delta, finish };
    },
    finish(reason, stopTokenId) {
      // A character that was begun and never ended is no text: vLLM leaves it out too.
      const matched = matcher.push(settle(detokenizer.flush()));
      const text = matched.stopped === null ? matched.text + matcher.flush() : matched.text;
      return {
        delta: text === "" ? null : { text, tokenIds: [] },
        finish: { reason, stopReason: reason === "stop" ? stopTokenId : null },
      };
    },
  };
}
