/**
 * vLLM's completions (whole bodies and stream events look alike) as neutral events. Lenient toward the upstream:
 * unknown fields are ignored, missing ones mean "nothing"; what cannot be understood is an upstream failure.
 */
import type { FinishReason, GenerateEvent, PositionLogprobs, TokenLogprob } from "../../contract/generation.ts";
import { GatewayError } from "../../errors.ts";

interface WireLogprobs {
  readonly token_logprobs?: readonly (number | null)[];
  readonly tokens?: readonly string[];
  readonly top_logprobs?: readonly (Readonly<Record<string, number | null>> | null)[];
}

/** One choice, of a whole answer or of a stream event. Everything may be missing. */
export interface WireChoice {
  readonly index?: number;
  readonly text?: string;
  readonly token_ids?: readonly number[] | null;
  readonly prompt_token_ids?: readonly number[] | null;
  readonly logprobs?: WireLogprobs | null;
  readonly prompt_logprobs?: readonly (Readonly<Record<string, WirePromptLogprob>> | null)[] | null;
  readonly finish_reason?: string | null;
  readonly stop_reason?: string | number | null;
}

interface WirePromptLogprob {
  readonly logprob?: number | null;
  readonly rank?: number | null;
  readonly decoded_token?: string | null;
}

/** A whole answer or a stream event. */
export interface WireCompletion {
  readonly choices?: readonly WireChoice[];
  readonly usage?: { readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null } | null;
  readonly error?: { readonly message?: unknown; readonly code?: unknown } | null;
}

const encoder = new TextEncoder();

/** Python's null, NaN and the clamp of vLLM's JSON all mean "impossible". */
const toLogprob = (value: number | null | undefined): number =>
  typeof value === "number" ? value : Number.NEGATIVE_INFINITY;

/** `token_id:163` → 163. */
function toId(name: string): number {
  const id = Number(name.startsWith("token_id:") ? name.slice(9) : Number.NaN);
  if (Number.isSafeInteger(id)) return id;
  throw new GatewayError(
    "upstream_failed",
    `An upstream named a token ${JSON.stringify(name.slice(0, 40))}, not token_id:N.`,
  );
}

const toToken = (tokenId: number, token: string, logprob: number, rank: number): TokenLogprob => ({
  tokenId,
  token,
  bytes: [...encoder.encode(token)],
  logprob,
  rank,
});

/**
 * Output logprobs. The wire has ids or texts, not both, and ids are what training needs: `token` is known only where an
 * event brings one token with its text, else "". The rank of a token outside the best k is a lower bound.
 */
export function toPositions(choice: WireChoice, tokenIds: readonly number[]): PositionLogprobs[] {
  const { logprobs } = choice;
  const all = logprobs?.token_logprobs ?? [];
  return tokenIds.map((tokenId, position) => {
    const logprob = toLogprob(all[position]);
    const entries = Object.entries(logprobs?.top_logprobs?.[position] ?? {});
    const ranked = entries
      .map(([name, value]) => ({ id: toId(name), logprob: toLogprob(value) }))
      .sort((a, b) => b.logprob - a.logprob);
    const text = tokenIds.length === 1 ? (choice.text ?? "") : "";
    const nameOf = (id: number): string => (id === tokenId ? text : "");
    const rank = 1 + ranked.filter((one) => one.logprob > logprob).length;
    const top = ranked.map((one, place) => toToken(one.id, nameOf(one.id), one.logprob, place + 1));
    return { ...toToken(tokenId, text, logprob, rank), top };
  });
}

/** Prompt logprobs: `{"499": {logprob, rank, decoded_token}}` per position, the prompt's own token among them. */
export function toPromptPositions(
  wire: NonNullable<WireChoice["prompt_logprobs"]>,
  tokenIds: readonly number[],
): (PositionLogprobs | null)[] {
  return wire.map((candidates, position) => {
    if (candidates === null) return null;
    const all = Object.entries(candidates).map(([id, one]) =>
      toToken(Number(id), one.decoded_token ?? "", toLogprob(one.logprob), one.rank ?? 0),
    );
    const own = all.find((one) => one.tokenId === tokenIds[position]);
    const top = [...all].sort((a, b) => a.rank - b.rank);
    return { ...(own ?? toToken(tokenIds[position] ?? 0, "", Number.NEGATIVE_INFINITY, 0)), top };
  });
}

/** vLLM also knows "repetition" and "error"; a caller is better served by a word it knows. */
function toFinishReason(reason: string): FinishReason {
  if (reason === "length") return "length";
  return reason === "abort" || reason === "error" ? "abort" : "stop";
}

/** What the choices of one request have said so far. */
export interface Progress {
  /** Prompts whose `prompt` event is out. */
  readonly prompts: Set<number>;
  readonly finished: Set<number>;
}

/** What the request says about its choices. */
export interface ChoiceContext {
  readonly samples: number;
  /** The prompt's text, where it is known. */
  readonly textOf: (prompt: number) => string | null;
  readonly wantsLogprobs: boolean;
  readonly cachedTokens: number;
}

/** The events that one choice of one answer or stream event means. */
export function* toEvents(choice: WireChoice, progress: Progress, context: ChoiceContext): Generator<GenerateEvent> {
  const index = choice.index ?? 0;
  const prompt = Math.floor(index / context.samples);
  const sample = index % context.samples;
  const tokenIds = choice.token_ids ?? [];
  const text = choice.text ?? "";
  if (!progress.prompts.has(prompt)) {
    progress.prompts.add(prompt);
    const promptIds = choice.prompt_token_ids ?? [];
    const logprobs = choice.prompt_logprobs;
    yield {
      type: "prompt",
      prompt,
      tokenIds: promptIds,
      cachedTokens: context.cachedTokens,
      text: context.textOf(prompt),
      ...(logprobs == null ? {} : { logprobs: toPromptPositions(logprobs, promptIds) }),
    };
  }
  if (text !== "" || tokenIds.length > 0) {
    const logprobs = context.wantsLogprobs ? { logprobs: toPositions(choice, tokenIds) } : {};
    yield { type: "delta", prompt, sample, text, tokenIds, ...logprobs };
  }
  if (choice.finish_reason != null && !progress.finished.has(index)) {
    progress.finished.add(index);
    const reason = toFinishReason(choice.finish_reason);
    yield { type: "finish", prompt, sample, reason, stopReason: choice.stop_reason ?? null };
  }
}
