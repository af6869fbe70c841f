/**
 * The fake's "model": a byte tokenizer (id = byte, 256 = start, 257 = eos) and output letters that follow from
 * weights, prompt, sample and position, so that two weight versions can be told apart by a few greedy tokens.
 */
import { HttpError } from "./http-error.ts";

export interface Sample {
  readonly index: number;
  readonly promptIds: readonly number[];
  readonly tokenIds: readonly number[];
  readonly finishReason: "stop" | "length";
}

export interface Work {
  readonly chat: boolean;
  readonly model: string;
  readonly stream: boolean;
  readonly samples: readonly Sample[];
  readonly n: number;
  readonly echo: boolean;
  readonly returnTokenIds: boolean;
  readonly tokensAsIds: boolean;
  /** Candidates per position, -1 = none. */
  readonly logprobs: number;
  readonly promptLogprobs: number;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const toIds = (text: string): number[] => [...encoder.encode(text)];
export const toText = (ids: readonly number[]): string => decoder.decode(Uint8Array.from(ids.filter((id) => id < 256)));

/** FNV-1a over small integers. */
function hash(values: readonly number[]): number {
  let state = 0x811c9dc5;
  for (const value of values) state = Math.imul(state ^ value, 0x01000193) >>> 0;
  return state >>> 0;
}

/** A letter or a space, never a stop token. */
function nextToken(promptHash: number, seed: number, position: number): number {
  const value = hash([promptHash & 0xffff, promptHash >>> 16, seed, position]) % 32;
  return value < 26 ? 97 + value : 32;
}

/** A log probability with many digits, the same for the same token and place. */
export const fakeLogprob = (id: number, position: number): number => -((hash([id, position]) % 9973) + 1) / 3001;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isIds = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((id) => Number.isInteger(id));

function integer(body: Record<string, unknown>, field: string, fallback: number): number {
  const value = body[field] ?? fallback;
  if (typeof value !== "number") {
    const shown = typeof value === "string" ? `'${value}'` : JSON.stringify(value);
    throw HttpError.validation(
      "int_parsing",
      `body.${field}`,
      "Input should be a valid integer, unable to parse string as an integer",
      shown,
    );
  }
  return value;
}

function toPrompts(body: Record<string, unknown>): number[][] {
  const { prompt } = body;
  if (prompt === undefined || prompt === null || prompt === "") {
    throw HttpError.own("Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)", "prompt");
  }
  if (typeof prompt === "string") return [toIds(prompt)];
  if (isIds(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0) {
    return prompt.map((item) => {
      if (typeof item === "string" && item !== "") return toIds(item);
      if (isIds(item)) return item;
      throw HttpError.own("You must pass at least one prompt", null);
    });
  }
  throw HttpError.own("You must pass at least one prompt", null);
}

/** ChatML, as the recorded server's template. */
export function renderChat(body: Record<string, unknown>): string {
  const { messages } = body;
  if (!Array.isArray(messages)) {
    throw HttpError.validation(
      "missing",
      "body.messages",
      "Field required",
      `'<dict of ${Object.keys(body).length} items>'`,
    );
  }
  const turns = messages.map((message: unknown) => {
    const { role, content } = isObject(message) ? message : {};
    return `<|im_start|>${String(role)}\n${typeof content === "string" ? content : JSON.stringify(content ?? "")}<|im_end|>\n`;
  });
  return `${turns.join("")}${body.add_generation_prompt === false ? "" : "<|im_start|>assistant\n"}`;
}

function check(body: Record<string, unknown>, chat: boolean): void {
  if (typeof body.temperature === "string") {
    throw HttpError.validation(
      "float_parsing",
      "body.temperature",
      "Input should be a valid number, unable to parse string as a number",
      `'${body.temperature}'`,
    );
  }
  const temperature = body.temperature ?? 1;
  if (typeof temperature === "number" && (temperature < 0 || temperature > 2)) {
    const shown = Number.isInteger(temperature) ? `${temperature}.0` : String(temperature);
    throw HttpError.own(
      `temperature must be in [0, 2], got ${shown}. (parameter=temperature, value=${shown})`,
      "temperature",
    );
  }
  const n = integer(body, "n", 1);
  if (n < 1) throw HttpError.own(`n must be at least 1, got ${n}.`, null);
  if (n > 1 && temperature === 0) throw HttpError.own(`n must be 1 when using greedy sampling, got ${n}.`, null);
  if (body.stream === true && typeof body.prompt_logprobs === "number" && !chat) {
    throw HttpError.own(
      "`prompt_logprobs` are not available when `stream=True`. (parameter=prompt_logprobs)",
      "prompt_logprobs",
    );
  }
}

/** Reads a completions or chat body as vLLM would; throws HttpError in vLLM's words. `weights` chooses the answer. */
export function toWork(body: Record<string, unknown>, chat: boolean, weights: number, maxModelLen: number): Work {
  check(body, chat);
  const prompts = chat ? [toIds(renderChat(body))] : toPrompts(body);
  const n = integer(body, "n", 1);
  const asked = integer(
    body,
    chat && body.max_completion_tokens != null ? "max_completion_tokens" : "max_tokens",
    chat ? maxModelLen : 16,
  );
  if (asked < 1) {
    throw HttpError.own(
      `max_tokens must be at least 1, got ${asked}. (parameter=max_tokens, value=${asked})`,
      "max_tokens",
    );
  }
  const greedy = body.temperature === 0;
  const seed = typeof body.seed === "number" ? body.seed : Math.floor(Math.random() * 2 ** 31);
  const stops = [body.stop].flat().filter((stop): stop is string => typeof stop === "string" && stop !== "");
  const samples = prompts.flatMap((promptIds, prompt) => {
    const room = maxModelLen - promptIds.length;
    if (room <= 0) {
      throw HttpError.own(
        `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${promptIds.length} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. (parameter=input_tokens, value=${promptIds.length})`,
        "input_tokens",
      );
    }
    const promptHash = hash(promptIds);
    return Array.from({ length: n }, (_, sample): Sample => {
      const draw = greedy ? weights * 7919 : hash([weights, seed, sample, prompt]);
      const tokenIds: number[] = [];
      let finishReason: Sample["finishReason"] = "length";
      while (tokenIds.length < Math.min(asked, room)) {
        tokenIds.push(nextToken(promptHash, draw, tokenIds.length));
        if (stops.some((stop) => toText(tokenIds.slice(-32)).endsWith(stop))) {
          finishReason = "stop";
          break;
        }
      }
      return { index: prompt * n + sample, promptIds, tokenIds, finishReason };
    });
  });
  const options = isObject(body.stream_options) ? body.stream_options : {};
  return {
    chat,
    model: typeof body.model === "string" ? body.model : "",
    stream: body.stream === true,
    samples,
    n,
    echo: body.echo === true,
    returnTokenIds: body.return_token_ids === true,
    tokensAsIds: body.return_tokens_as_token_ids === true,
    logprobs: chat
      ? body.logprobs === true
        ? Number(body.top_logprobs ?? 0)
        : -1
      : typeof body.logprobs === "number"
        ? body.logprobs
        : -1,
    promptLogprobs: typeof body.prompt_logprobs === "number" ? body.prompt_logprobs : -1,
    includeUsage: options.include_usage === true,
    continuousUsage: options.continuous_usage_stats === true,
  };
}
