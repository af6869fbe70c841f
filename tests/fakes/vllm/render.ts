/** Bodies and events with exactly the fields, in the order, that vLLM 0.32 writes (fixtures/vllm/dev). */
import { fakeLogprob, type Sample, toText, type Work } from "./generate.ts";

export const FINGERPRINT = "vllm-0.32.0-fc83e35c";

export interface Ids {
  readonly id: string;
  readonly created: number;
}

const head = (ids: Ids, object: string, model: string) => ({ id: ids.id, object, created: ids.created, model });

const tokenName = (work: Work, id: number): string => (work.tokensAsIds ? `token_id:${id}` : toText([id]));

function candidates(chosen: number, position: number, count: number): [number, number][] {
  const out: [number, number][] = [[chosen, fakeLogprob(chosen, position)]];
  for (let next = 1; next < count; next += 1) {
    const id = 97 + ((chosen - 97 + next + 26) % 26);
    out.push([id, fakeLogprob(chosen, position) - next / 7]);
  }
  return out;
}

function completionLogprobs(work: Work, ids: readonly number[], from: number): unknown {
  if (work.logprobs < 0) return null;
  let offset = from;
  const offsets = ids.map((id) => {
    const at = offset;
    offset += tokenName(work, id).length;
    return at;
  });
  return {
    text_offset: offsets,
    token_logprobs: ids.map((id, position) => fakeLogprob(id, from + position)),
    tokens: ids.map((id) => tokenName(work, id)),
    top_logprobs: ids.map((id, position) =>
      Object.fromEntries(
        candidates(id, from + position, work.logprobs).map(([other, value]) => [tokenName(work, other), value]),
      ),
    ),
  };
}

function chatLogprobs(work: Work, ids: readonly number[], from: number): unknown {
  if (work.logprobs < 0) return null;
  const entry = (id: number, logprob: number) => ({ token: tokenName(work, id), logprob, bytes: [id] });
  return {
    content: ids.map((id, position) => ({
      ...entry(id, fakeLogprob(id, from + position)),
      top_logprobs:
        work.logprobs === 0
          ? []
          : candidates(id, from + position, work.logprobs).map(([other, value]) => entry(other, value)),
    })),
  };
}

function promptLogprobs(work: Work, sample: Sample): unknown {
  if (work.promptLogprobs < 0) return null;
  return sample.promptIds.map((id, position) =>
    position === 0
      ? null
      : { [String(id)]: { logprob: fakeLogprob(id, position), rank: 1, decoded_token: toText([id]) } },
  );
}

function usage(work: Work, completionTokens: number): Record<string, number> {
  const prompts = work.samples.filter((_, index) => index % work.n === 0);
  const promptTokens = prompts.reduce((sum, sample) => sum + sample.promptIds.length, 0);
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  };
}

/** How much of each sample was made, and how it ended: `abort` cuts it. */
export interface Made {
  readonly count: number;
  readonly finishReason: string;
}

export function renderWhole(work: Work, ids: Ids, made: readonly Made[]): unknown {
  const total = made.reduce((sum, one) => sum + one.count, 0);
  const tail = {
    service_tier: null,
    system_fingerprint: FINGERPRINT,
    usage: { ...usage(work, total), prompt_tokens_details: null, completion_tokens_details: null },
  };
  const end = { kv_transfer_params: null, ec_transfer_params: null, metrics: null };
  const choices = work.samples.map((sample, place) => {
    const tokenIds = sample.tokenIds.slice(0, made[place]?.count);
    const text = toText(tokenIds);
    const finish = { finish_reason: made[place]?.finishReason ?? "abort", stop_reason: null };
    const shown = work.returnTokenIds ? tokenIds : null;
    if (work.chat) {
      const message = {
        role: "assistant",
        content: text,
        refusal: null,
        annotations: null,
        audio: null,
        function_call: null,
        reasoning: null,
      };
      const logprobs = chatLogprobs(work, tokenIds, 0);
      return { index: sample.index, message, logprobs, ...finish, token_ids: shown, routed_experts: null };
    }
    return {
      index: sample.index,
      text: work.echo ? toText(sample.promptIds) + text : text,
      logprobs: completionLogprobs(work, tokenIds, 0),
      ...finish,
      token_ids: shown,
      prompt_logprobs: promptLogprobs(work, sample),
      prompt_token_ids: work.returnTokenIds ? sample.promptIds : null,
      routed_experts: null,
    };
  });
  if (!work.chat) return { ...head(ids, "text_completion", work.model), choices, ...tail, ...end };
  const [first] = work.samples;
  return {
    ...head(ids, "chat.completion", work.model),
    choices,
    ...tail,
    prompt_logprobs: first === undefined ? null : promptLogprobs(work, first),
    prompt_token_ids: work.returnTokenIds ? (first?.promptIds ?? null) : null,
    prompt_text: null,
    ...end,
  };
}

/** The event before the first token of a chat stream; completions have none. */
export function renderRole(work: Work, ids: Ids): string {
  const choices = work.samples.map((sample) => ({
    index: sample.index,
    delta: { role: "assistant", content: "" },
    logprobs: null,
    finish_reason: null,
  }));
  const [first] = work.samples;
  return event({
    ...head(ids, "chat.completion.chunk", work.model),
    choices,
    prompt_token_ids: work.returnTokenIds ? (first?.promptIds ?? null) : null,
    prompt_text: null,
  });
}

export interface Step {
  readonly sample: Sample;
  /** Tokens of this event: [from, to). */
  readonly from: number;
  readonly to: number;
  readonly finishReason: string | null;
  /** No sample has anything left. */
  readonly last: boolean;
  readonly totalMade: number;
}

export function renderStep(work: Work, ids: Ids, step: Step): string {
  const { sample, from, to, finishReason } = step;
  const tokenIds = sample.tokenIds.slice(from, to);
  const text = toText(tokenIds);
  const shown = work.returnTokenIds ? tokenIds : null;
  const ended = finishReason !== null;
  const choice = work.chat
    ? {
        index: sample.index,
        delta: { content: text },
        logprobs: chatLogprobs(work, tokenIds, from),
        finish_reason: finishReason,
        ...(ended ? { stop_reason: null } : {}),
        token_ids: shown,
      }
    : {
        index: sample.index,
        text: work.echo && from === 0 ? toText(sample.promptIds) + text : text,
        logprobs: completionLogprobs(work, tokenIds, from),
        finish_reason: finishReason,
        stop_reason: null,
        prompt_token_ids: work.returnTokenIds && from === 0 ? sample.promptIds : null,
        token_ids: shown,
      };
  return event({
    ...head(ids, work.chat ? "chat.completion.chunk" : "text_completion", work.model),
    choices: [choice],
    ...(work.continuousUsage ? { usage: usage(work, step.totalMade) } : {}),
    ...(step.last && !work.includeUsage ? { system_fingerprint: FINGERPRINT } : {}),
  });
}

export function renderUsage(work: Work, ids: Ids, totalMade: number): string {
  return event({
    ...head(ids, work.chat ? "chat.completion.chunk" : "text_completion", work.model),
    choices: [],
    usage: usage(work, totalMade),
    system_fingerprint: FINGERPRINT,
  });
}

export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
