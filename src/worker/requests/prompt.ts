/** Prompt → token ids, with vLLM's refusals of prompts that the model cannot take. */
import type { Prompt } from "../../contract/generation.ts";
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
export function encodePrompt(prompt: Prompt, model: ServedModel, now: Date): PreparedPrompt {
  if (prompt.kind === "tokens") return { ids: prompt.ids, text: null };
  if (model.skipTokenizer) throw noTokenizer(prompt.kind === "chat" ? "messages" : "prompt");
  const text = prompt.kind === "text" ? prompt.text : renderChat(prompt, model, now);
  const limit = model.maxModelLen;
  if (text.length > limit * CHARACTERS_PER_TOKEN) throw tooLong(limit, `at least ${limit + 1}`, limit + 1);
  return { ids: model.tokenizer.encode(text, prompt.addSpecialTokens), text };
}

/** Encodes and checks a prompt for generation. Throws GatewayError `invalid_value` or `context_length_exceeded`. */
export function preparePrompt(prompt: Prompt, model: ServedModel, now: Date): PreparedPrompt {
  if (prompt.kind === "text" && prompt.text === "") {
    throw new GatewayError(
      "invalid_value",
      "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)",
      { param: "prompt" },
    );
  }
  const prepared = encodePrompt(prompt, model, now);
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
