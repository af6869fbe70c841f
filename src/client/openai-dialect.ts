/** Generation as vLLM and this gateway speak it: `/v1/completions` for prompts, `/v1/chat/completions` for conversations. */
import type { ClientCandidate, Completion } from "./completion.ts";
import { mapConcurrently } from "./concurrently.ts";
import { ServerError } from "./errors.ts";
import { type Answer, type Connection, sendJson } from "./http.ts";
import type { ClientMessage, ToolChoice } from "./message.ts";
import { SAMPLING } from "./retry.ts";
import { toStructuredOutputs, type WireSampling } from "./sampling.ts";

export type Prompts = readonly string[] | readonly (readonly number[])[];

/** What a chat has beside sampling. */
export interface ChatExtras {
  readonly tools: readonly unknown[] | null;
  readonly toolChoice: ToolChoice | null;
  readonly chatTemplate: string | null;
  readonly chatTemplateKwargs: Readonly<Record<string, unknown>> | null;
}

export interface GenerateCall {
  readonly connection: Connection;
  readonly model: string | null;
  readonly sampling: WireSampling;
  readonly seconds: number;
  readonly signal: AbortSignal | undefined;
}

interface WireTop {
  readonly token: string;
  readonly logprob: number | null;
}

interface WireToolCall {
  readonly id?: string | null;
  readonly function?: { readonly name?: string; readonly arguments?: string | null };
}

interface WireChoice {
  readonly index?: number;
  readonly text?: string;
  readonly message?: { readonly content?: string | null; readonly tool_calls?: readonly WireToolCall[] | null };
  readonly token_ids?: readonly number[] | null;
  readonly prompt_token_ids?: readonly number[] | null;
  readonly finish_reason?: string | null;
  readonly logprobs?: {
    readonly tokens?: readonly string[];
    readonly token_logprobs?: readonly (number | null)[];
    readonly top_logprobs?: readonly (Readonly<Record<string, number | null>> | null)[] | null;
    readonly content?: readonly (WireTop & { readonly top_logprobs?: readonly WireTop[] | null })[] | null;
  } | null;
}

interface WireBody {
  readonly choices?: readonly WireChoice[];
  readonly prompt_token_ids?: readonly number[] | null;
}

/** How vLLM spells a token when `return_tokens_as_token_ids` is asked for. */
const TOKEN_ID = /^token_id:(\d+)$/;

/** By falling probability; what has none comes last. */
const falling = (a: ClientCandidate, b: ClientCandidate): number =>
  (b.logprob ?? Number.NEGATIVE_INFINITY) - (a.logprob ?? Number.NEGATIVE_INFINITY) || 0;

function toCandidates(all: ReadonlyMap<string, number | null>): readonly ClientCandidate[] | null {
  const out: ClientCandidate[] = [];
  for (const [token, logprob] of all) {
    const id = TOKEN_ID.exec(token)?.[1];
    if (id === undefined) return null;
    out.push({ tokenId: Number(id), logprob });
  }
  return out.sort(falling);
}

/** Logprobs of one choice, whichever of the two routes it came from. */
function readLogprobs(choice: WireChoice): Pick<Completion, "logprobs" | "topLogprobs"> {
  const { logprobs } = choice;
  if (logprobs === null || logprobs === undefined) return { logprobs: null, topLogprobs: null };
  const positions: readonly {
    token: string;
    logprob: number | null;
    top: readonly (readonly [string, number | null])[];
  }[] =
    logprobs.content?.map((entry) => ({
      token: entry.token,
      logprob: entry.logprob,
      top: (entry.top_logprobs ?? []).map((other) => [other.token, other.logprob] as const),
    })) ??
    (logprobs.tokens ?? []).map((token, index) => ({
      token,
      logprob: logprobs.token_logprobs?.[index] ?? null,
      top: Object.entries(logprobs.top_logprobs?.[index] ?? {}),
    }));
  // The sampled token is always among them, even when it falls outside the best.
  const lists = positions.map(({ token, logprob, top }) => toCandidates(new Map([[token, logprob], ...top])));
  const plain = positions.map(({ logprob }) => logprob);
  return {
    logprobs: positions.length === 0 && logprobs.token_logprobs !== undefined ? logprobs.token_logprobs : plain,
    // A server that spells tokens as text cannot name the candidates.
    topLogprobs: lists.every((list) => list !== null) ? (lists as readonly (readonly ClientCandidate[])[]) : null,
  };
}

function toCompletions(json: unknown, answer: Answer, expected: number): Completion[] {
  const { choices, prompt_token_ids } = json as WireBody;
  if (!Array.isArray(choices) || choices.length !== expected) {
    const got = Array.isArray(choices) ? `${choices.length} choices` : "no choices";
    throw new ServerError(answer.url, answer.status, `${answer.url} answered with ${got}; ${expected} were asked for.`);
  }
  const inOrder = [...(choices as readonly WireChoice[])].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  return inOrder.map((choice) => ({
    text: choice.text ?? choice.message?.content ?? "",
    toolCalls: (choice.message?.tool_calls ?? []).map(({ id, function: called }) => ({
      id: id ?? null,
      name: called?.name ?? "",
      arguments: called?.arguments ?? "",
    })),
    promptTokenIds: choice.prompt_token_ids ?? prompt_token_ids ?? [],
    tokenIds: choice.token_ids ?? [],
    ...readLogprobs(choice),
    finishReason: choice.finish_reason ?? null,
    weightVersion: answer.headers.get("x-weight-version"),
    weightDigest: answer.headers.get("x-weight-digest"),
  }));
}

const toModel = (model: string | null): Record<string, unknown> => (model === null ? {} : { model });

const IDS = { return_token_ids: true, return_tokens_as_token_ids: true };

/** All prompts in one request, as TRL 1.16 sends them: the server batches. */
export async function completePrompts(call: GenerateCall, prompts: Prompts): Promise<Completion[]> {
  const { sampling } = call;
  const { json, answer } = await sendJson(call.connection, "/v1/completions", {
    method: "POST",
    json: {
      ...toModel(call.model),
      prompt: prompts,
      ...IDS,
      ...sampling.fields,
      logprobs: sampling.logprobs,
      ...toStructuredOutputs(sampling.regex),
      ...sampling.overrides,
    },
    seconds: call.seconds,
    signal: call.signal,
    retry: [SAMPLING],
  });
  return toCompletions(json, answer, prompts.length * sampling.n);
}

/** One request per conversation, `limit` at a time. */
export async function completeChats(
  call: GenerateCall,
  conversations: readonly (readonly ClientMessage[])[],
  extras: ChatExtras,
  limit: number,
): Promise<Completion[]> {
  const { sampling } = call;
  const body = {
    ...toModel(call.model),
    ...IDS,
    ...sampling.fields,
    logprobs: sampling.logprobs !== null,
    top_logprobs: sampling.logprobs,
    // As TRL the caller reads tool calls from the text, unless it asks for them: without "none" a server without a tool
    // parser refuses the request. An empty list is refused in any case.
    ...(extras.tools === null || extras.tools.length === 0
      ? {}
      : { tools: extras.tools, tool_choice: extras.toolChoice ?? "none" }),
    ...(extras.chatTemplate === null ? {} : { chat_template: extras.chatTemplate }),
    ...(extras.chatTemplateKwargs === null ? {} : { chat_template_kwargs: extras.chatTemplateKwargs }),
    ...toStructuredOutputs(sampling.regex),
    ...sampling.overrides,
  };
  const lists = await mapConcurrently(conversations, limit, call.signal, async (messages, signal) => {
    const { json, answer } = await sendJson(call.connection, "/v1/chat/completions", {
      method: "POST",
      json: { ...body, messages },
      seconds: call.seconds,
      signal,
      retry: [SAMPLING],
    });
    return toCompletions(json, answer, sampling.n);
  });
  return lists.flat();
}
