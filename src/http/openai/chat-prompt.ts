/**
 * The fields of a chat request that reach the chat template → the neutral prompt; shared by `/v1/chat/completions`,
 * `/tokenize` and `/chat/`. What wins over what is as in vLLM 0.32 (`build_chat_params`, `merge_kwargs`).
 */
import type { Prompt } from "../../contract/generation.ts";
import type { ChatRequestMessage } from "../../contract/openai/chat.ts";
import { GatewayError, invalidValue, malformedValue } from "../../errors.ts";
import { parseExactJson } from "../exact-json.ts";
import { toMessages } from "./to-messages.ts";
import { toToolSchemas } from "./to-tools.ts";

type ChatPrompt = Extract<Prompt, { kind: "chat" }>;

/** As validated; `documents` and `reasoning_effort` are not fields of every route. */
export interface TemplateOptions {
  readonly messages: readonly ChatRequestMessage[];
  readonly tools?: readonly unknown[] | null | undefined;
  readonly documents?: readonly unknown[] | null | undefined;
  readonly reasoning_effort?: string | null | undefined;
  readonly chat_template?: string | null | undefined;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
  readonly add_generation_prompt?: boolean | null | undefined;
  readonly continue_final_message?: boolean | null | undefined;
  readonly add_special_tokens?: boolean | null | undefined;
}

interface Trust {
  readonly trustRequestChatTemplate?: boolean | undefined;
}

/** Arguments of `apply_chat_template`: never variables. */
const ARGUMENTS: ReadonlySet<string> = new Set([
  "chat_template",
  "tools",
  "documents",
  "tokenize",
  "add_generation_prompt",
  "continue_final_message",
]);

/**
 * The request's own template, or undefined. A template is a program: vLLM takes it only where the operator said so, and
 * these are its words.
 */
export function chooseRequestTemplate(
  template: unknown,
  kwargs: Readonly<Record<string, unknown>> | null | undefined,
  { trustRequestChatTemplate = false }: Trust,
): string | undefined {
  const inKwargs = kwargs?.chat_template ?? undefined;
  if (!trustRequestChatTemplate && ((template ?? undefined) !== undefined || inKwargs !== undefined)) {
    throw new GatewayError(
      "invalid_value",
      "Chat template is passed with request, but --trust-request-chat-template is not set. " +
        "Refused request with untrusted chat template.",
    );
  }
  if (typeof template === "string" && template !== "") return template;
  if (inKwargs === undefined || inKwargs === "") return undefined;
  if (typeof inKwargs === "string") return inKwargs;
  throw invalidValue("chat_template_kwargs.chat_template", inKwargs, "a string");
}

/** Throws when both are set: they contradict each other. */
function checkFlags(options: TemplateOptions): Pick<ChatPrompt, "addGenerationPrompt" | "continueFinalMessage"> {
  const addGenerationPrompt = options.add_generation_prompt ?? true;
  const continueFinalMessage = options.continue_final_message ?? false;
  if (!addGenerationPrompt || !continueFinalMessage) return { addGenerationPrompt, continueFinalMessage };
  const message =
    options.add_generation_prompt === true
      ? "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
      : "continue_final_message and add_generation_prompt are not compatible; add_generation_prompt is true by " +
        "default. Cannot set both `continue_final_message` and `add_generation_prompt` to True: send " +
        "add_generation_prompt false.";
  throw new GatewayError("invalid_value", message, { param: "continue_final_message" });
}

/** vLLM: only what an assistant or a function said may be nothing; leaving `content` out is another matter. */
function checkContents(messages: readonly ChatRequestMessage[]): void {
  for (const [index, { role, content }] of messages.entries()) {
    if (content !== null || role === "assistant" || role === "function") continue;
    throw malformedValue(`messages.${index}.content`, content, "a string or a list of content parts");
  }
}

/** What the template sees. Reads validated options, or the same body with its numbers as they were written. */
function toShown(options: TemplateOptions): Pick<ChatPrompt, "messages" | "tools" | "templateKwargs" | "documents"> {
  const { reasoning_effort: effort } = options;
  const kwargs = options.chat_template_kwargs ?? {};
  const variables = Object.fromEntries(Object.entries(kwargs).filter(([name]) => !ARGUMENTS.has(name)));
  if (effort !== undefined && effort !== null) {
    variables.reasoning_effort = effort;
    if (!("enable_thinking" in variables)) variables.enable_thinking = effort !== "none";
  }
  const documents = options.documents ?? kwargs.documents ?? undefined;
  if (documents !== undefined && !Array.isArray(documents)) {
    throw invalidValue("chat_template_kwargs.documents", documents, "a list of objects");
  }
  const tools = kwargs.tools ?? toToolSchemas(options.tools);
  if (tools !== null && !Array.isArray(tools)) throw invalidValue("chat_template_kwargs.tools", tools, "a list");
  return {
    messages: toMessages(options.messages),
    tools: tools as readonly unknown[] | null,
    templateKwargs: variables,
    ...(documents === undefined ? {} : { documents: documents as readonly unknown[] }),
  };
}

/**
 * `bytes` is the body as it was sent. Throws GatewayError `invalid_value` for a template that is not trusted, flags that
 * contradict each other, a tool that is no function.
 */
export function toChatPrompt(options: TemplateOptions, trust: Trust, bytes: Uint8Array | undefined): ChatPrompt {
  const chatTemplate = chooseRequestTemplate(options.chat_template, options.chat_template_kwargs, trust);
  checkContents(options.messages);
  const flags = checkFlags(options);
  const shown = toShown(options);
  const exactBody = bytes === undefined ? undefined : parseExactJson(bytes);
  const exact = exactBody === undefined ? undefined : JSON.stringify(toShown(exactBody as unknown as TemplateOptions));
  return {
    kind: "chat",
    ...shown,
    ...flags,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(exact === undefined || exact === JSON.stringify(shown) ? {} : { exact }),
    addSpecialTokens: options.add_special_tokens ?? false,
  };
}
