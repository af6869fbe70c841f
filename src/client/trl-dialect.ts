/**
 * Generation as TRL's own server speaks it (`trl vllm-serve`, TRL 0.16 to 1.10; trl/scripts/vllm_serve.py): token ids come
 * back, and fields that a release does not know are ignored by it without a word – so they are refused here.
 */
import type { ClientCandidate, Completion } from "./completion.ts";
import { requireLegacyPath, type ServerFacts } from "./detect.ts";
import { ServerError } from "./errors.ts";
import { type Answer, sendJson } from "./http.ts";
import type { ClientMessage } from "./message.ts";
import type { ChatExtras, GenerateCall, Prompts } from "./openai-dialect.ts";
import { SAMPLING } from "./retry.ts";

/** Token ids → text; the library's tokenizers and transformers.js have one. */
export type Detokenize = (tokenIds: readonly number[]) => string | Promise<string>;

/** Sampling fields that are fields of the request; the others travel in `generation_kwargs`. */
const OWN: ReadonlySet<string> = new Set([
  "n",
  "repetition_penalty",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "max_tokens",
  "truncate_prompt_tokens",
]);

interface LegacyBody {
  readonly prompt_ids?: readonly (readonly number[])[];
  readonly completion_ids?: readonly (readonly number[])[];
  readonly logprobs?: readonly (readonly (number | null | readonly (number | null)[])[])[] | null;
  readonly logprob_token_ids?: readonly (readonly (readonly number[])[])[] | null;
}

/** Whether a request may have the field: yes when the server does not tell its fields. */
const reads = (facts: ServerFacts, field: string): boolean => facts.legacy?.generateFields.has(field) ?? true;

function refuse(call: GenerateCall, field: string, since: string): ServerError {
  const { baseUrl } = call.connection;
  return new ServerError(baseUrl, 400, `The TRL server at ${baseUrl} does not read ${field}; ${since}.`, "unsupported");
}

function toBody(call: GenerateCall, facts: ServerFacts): Record<string, unknown> {
  const { fields, logprobs, regex, overrides } = call.sampling;
  const body: Record<string, unknown> = {};
  const kwargs: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!OWN.has(name)) kwargs[name] = value;
    else if (reads(facts, name)) body[name] = value;
    else throw refuse(call, name, "TRL 0.24 to 0.29 does");
  }
  Object.assign(kwargs, overrides);
  if (reads(facts, "logprobs")) body.logprobs = logprobs;
  else if (logprobs !== null && logprobs > 0) throw refuse(call, "logprobs", "it came with TRL 0.29");
  if (regex !== null) {
    const name = reads(facts, "structured_outputs_regex") ? "structured_outputs_regex" : "guided_decoding_regex";
    body[name] = regex;
  }
  const first = Object.keys(kwargs)[0];
  if (first === undefined) return body;
  if (!reads(facts, "generation_kwargs")) throw refuse(call, first, "further sampling fields came with TRL 0.19");
  return { ...body, generation_kwargs: kwargs };
}

type Row = readonly (number | null | readonly (number | null)[])[];

/** Three dimensions since TRL 0.29, two before. */
function readLogprobs(ids: readonly number[], row: Row | undefined, idRow: readonly (readonly number[])[] | undefined) {
  if (row === undefined) return { logprobs: null, topLogprobs: null };
  const top: readonly (readonly ClientCandidate[])[] = row.map((entry, position) =>
    Array.isArray(entry)
      ? entry.map((logprob, rank) => ({ tokenId: idRow?.[position]?.[rank] ?? (ids[position] as number), logprob }))
      : [{ tokenId: ids[position] as number, logprob: entry as number | null }],
  );
  const own = top.map((list, position) => list.find(({ tokenId }) => tokenId === ids[position])?.logprob ?? null);
  return { logprobs: own, topLogprobs: top };
}

async function toCompletions(
  json: unknown,
  answer: Answer,
  call: GenerateCall,
  count: number,
  prompts: Prompts | null,
  detokenize: Detokenize | undefined,
): Promise<Completion[]> {
  const { completion_ids, prompt_ids, logprobs, logprob_token_ids } = json as LegacyBody;
  const { n } = call.sampling;
  if (!Array.isArray(completion_ids) || completion_ids.length !== count * n) {
    const got = Array.isArray(completion_ids) ? completion_ids.length : "no";
    throw new ServerError(
      answer.url,
      200,
      `${answer.url} answered with ${got} completions; ${count * n} were asked for.`,
    );
  }
  const wanted = call.sampling.logprobs !== null;
  return Promise.all(
    (completion_ids as readonly (readonly number[])[]).map(async (tokenIds, index) => {
      const prompt = prompts?.[Math.floor(index / n)];
      return {
        text: detokenize === undefined ? null : await detokenize(tokenIds),
        toolCalls: [],
        promptTokenIds: prompt_ids?.[Math.floor(index / n)] ?? (typeof prompt === "object" ? prompt : []),
        tokenIds,
        ...readLogprobs(tokenIds, wanted ? (logprobs?.[index] ?? undefined) : undefined, logprob_token_ids?.[index]),
        finishReason: null,
        weightVersion: answer.headers.get("x-weight-version"),
        weightDigest: answer.headers.get("x-weight-digest"),
      };
    }),
  );
}

/** `POST /generate/`. */
export async function generateLegacy(
  call: GenerateCall,
  facts: ServerFacts,
  prompts: Prompts,
  detokenize: Detokenize | undefined,
): Promise<Completion[]> {
  const { json, answer } = await sendJson(call.connection, "/generate/", {
    method: "POST",
    json: { prompts, ...toBody(call, facts) },
    seconds: call.seconds,
    signal: call.signal,
    retry: [SAMPLING],
  });
  return toCompletions(json, answer, call, prompts.length, prompts, detokenize);
}

/** `POST /chat/`, TRL 0.25 and later. */
export async function chatLegacy(
  call: GenerateCall,
  facts: ServerFacts,
  conversations: readonly (readonly ClientMessage[])[],
  extras: ChatExtras,
  detokenize: Detokenize | undefined,
): Promise<Completion[]> {
  requireLegacyPath(call.connection.baseUrl, facts, "/chat/", "0.25");
  if (extras.chatTemplate !== null) throw refuse(call, "chat_template", "vLLM and this project's gateway do");
  if (extras.toolChoice !== null && extras.toolChoice !== "none") {
    throw refuse(call, "tool_choice", "vLLM and this project's gateway do");
  }
  const { json, answer } = await sendJson(call.connection, "/chat/", {
    method: "POST",
    json: {
      messages: conversations,
      ...toBody(call, facts),
      ...(extras.tools === null || extras.tools.length === 0 ? {} : { tools: extras.tools }),
      ...(extras.chatTemplateKwargs === null ? {} : { chat_template_kwargs: extras.chatTemplateKwargs }),
    },
    seconds: call.seconds,
    signal: call.signal,
    retry: [SAMPLING],
  });
  return toCompletions(json, answer, call, conversations.length, null, detokenize);
}
