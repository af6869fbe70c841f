/** Prompt → token ids, with vLLM's refusals of prompts that the model cannot take. */
import type { GenerateRequest, Prompt } from "../../contract/generation.ts";
import { GatewayError } from "../../errors.ts";
import { parsePythonJson } from "../../text/json.ts";
import { toKnownRoles, toTemplateMessages } from "../../text/messages.ts";
import { noTokenizer } from "../../text/no-tokenizer.ts";
import type { ServedModel } from "./served-model.ts";

type ChatPrompt = Extract<Prompt, { kind: "chat" }>;

export interface PreparedPrompt {
  readonly ids: readonly number[];
  /** As sent, or the rendered template; null for token-id prompts. */
  readonly text: string | null;
}

/**
 * A vocabulary's longest token is some ten characters; a text with more characters per context token than this cannot
 * fit. Encoding holds the worker's thread, so it is not begun for a text that would be refused anyway (vLLM does likewise).
 */
const CHARACTERS_PER_TOKEN = 64;

const tooLong = (limit: number, count: string, value: number): GatewayError =>
  new GatewayError(
    "context_length_exceeded",
    `This model's maximum context length is ${limit} tokens. However, your prompt contains ${count} input tokens, ` +
      `which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. ` +
      `(parameter=input_tokens, value=${value})`,
    { param: "input_tokens" },
  );

/** Special tokens that the template gets as variables; the caller's own go before them. */
function renderChat(prompt: ChatPrompt, model: ServedModel, now: Date): string {
  const exact = prompt.exact === undefined ? {} : (parsePythonJson(prompt.exact) as Partial<ChatPrompt>);
  const { messages, tools, documents, templateKwargs } = { ...prompt, ...exact };
  const template = model.templates.choose(prompt.chatTemplate, tools !== null);
  return template.render({
    messages: toKnownRoles(toTemplateMessages(messages, template.contentFormat), template.source),
    tools,
    documents: documents ?? null,
    addGenerationPrompt: prompt.addGenerationPrompt,
    continueFinalMessage: prompt.continueFinalMessage,
    variables: { ...model.tokenizer.specialTokens, ...templateKwargs },
    now,
  });
}

/**
 * Encodes without judging the number of tokens: what `/tokenize` answers.
 * Throws `context_length_exceeded` for a text that is beyond any context.
 */
export function encodePrompt(prompt: Prompt, model: ServedModel, now: Date, cut: Cut | null = null): PreparedPrompt {
  if (prompt.kind === "tokens") return { ids: cut === null ? prompt.ids : truncate(prompt.ids, cut), text: null };
  if (model.skipTokenizer) throw noTokenizer(prompt.kind === "chat" ? "messages" : "prompt");
  const whole = prompt.kind === "text" ? prompt.text : renderChat(prompt, model, now);
  const limit = model.maxModelLen;
  const characters = limit * CHARACTERS_PER_TOKEN;
  if (whole.length > characters && cut === null) throw tooLong(limit, `at least ${limit + 1}`, limit + 1);
  const kept = (): string => (cut?.side === "left" ? whole.slice(-characters) : whole.slice(0, characters));
  const text = whole.length > characters ? kept() : whole;
  const ids = model.tokenizer.encode(text, prompt.addSpecialTokens);
  if (cut === null || ids.length <= cut.tokens) return { ids, text };
  if (!cut.keepSpecial || !prompt.addSpecialTokens) return { ids: truncate(ids, cut), text };
  const plain = model.tokenizer.encode(text, false);
  const added = ids.length - plain.length;
  const before = Array.from({ length: added + 1 }, (_, start) => start).find((start) =>
    plain.every((id, index) => ids[start + index] === id),
  );
  if (before === undefined || added >= cut.tokens) return { ids: truncate(ids, cut), text };
  const middle = truncate(plain, { ...cut, tokens: cut.tokens - added });
  return { ids: [...ids.slice(0, before), ...middle, ...ids.slice(before + plain.length)], text };
}

/** See `Truncation`, with every default applied. */
interface Cut {
  readonly tokens: number;
  readonly side: "left" | "right";
  readonly keepSpecial: boolean;
}

const truncate = (ids: readonly number[], { tokens, side }: Cut): readonly number[] =>
  ids.length <= tokens ? ids : side === "right" || tokens === 0 ? ids.slice(0, tokens) : ids.slice(-tokens);

type PromptOptions = Pick<GenerateRequest, "pooling" | "truncate">;

/** vLLM 0.32's `TokenizeParams`: a prompt to be continued leaves room for one token. */
function toCut({ truncate: asked, pooling }: PromptOptions, limit: number): Cut | null {
  if (asked === undefined) return null;
  if (asked.tokens > limit) {
    throw new GatewayError(
      "invalid_value",
      `truncate_prompt_tokens=${asked.tokens} cannot be greater than max_model_len = ${limit}. ` +
        `Please request a smaller truncation size. (parameter=truncate_prompt_tokens, value=${asked.tokens})`,
      { param: "truncate_prompt_tokens" },
    );
  }
  const tokens = asked.tokens >= 0 ? asked.tokens : pooling === undefined ? limit - 1 : limit;
  const side = asked.side ?? (pooling === undefined ? "left" : "right");
  return { tokens, side, keepSpecial: asked.side === undefined };
}

/** Encodes, cuts and checks a prompt. Throws GatewayError `invalid_value` or `context_length_exceeded`. */
export function preparePrompt(
  prompt: Prompt,
  model: ServedModel,
  now: Date,
  options: PromptOptions = {},
): PreparedPrompt {
  if (prompt.kind === "text" && prompt.text === "") {
    throw new GatewayError(
      "invalid_value",
      "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)",
      { param: "prompt" },
    );
  }
  const prepared = encodePrompt(prompt, model, now, toCut(options, model.maxModelLen));
  if (prepared.ids.length === 0) {
    throw new GatewayError("invalid_value", "The decoder prompt cannot be empty", { param: "prompt" });
  }
  const outside = prepared.ids.find((id) => !Number.isInteger(id) || id < 0 || id >= model.vocabSize);
  if (outside !== undefined) {
    throw new GatewayError("invalid_value", `Token id ${outside} is out of vocabulary`, { param: "prompt" });
  }
  const limit = model.maxModelLen;
  if (prepared.ids.length > limit) {
    // vLLM stops encoding a text one token past the limit, and says so.
    const known = prepared.text === null;
    const count = known ? prepared.ids.length : limit + 1;
    throw tooLong(limit, known ? String(count) : `at least ${count}`, count);
  }
  return prepared;
}
