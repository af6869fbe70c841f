/** What a caller of `chat` gives → lists of conversations and the fields beside sampling. Refuses by name. */
import { wrapAsList } from "../lib/wrap-as-list.ts";
import type { ClientMessage, ToolChoice } from "./message.ts";
import type { ChatExtras } from "./openai-dialect.ts";
import type { ChatOptions, ChatSampling, Conversations } from "./options.ts";
import { type ClientSamplingParams, refuseImages, toSnakeCase } from "./sampling.ts";

/** One conversation becomes a list of one. */
export function toConversations(messages: Conversations): readonly (readonly ClientMessage[])[] {
  const [first] = messages;
  const many = first === undefined || Array.isArray(first);
  const list = (many ? messages : wrapAsList([messages])) as readonly (readonly ClientMessage[])[];
  for (const [index, conversation] of list.entries()) {
    if (!Array.isArray(conversation)) {
      throw new TypeError(`messages[${index}] must be a list of messages, got ${JSON.stringify(conversation)}.`);
    }
    for (const [place, message] of (conversation as readonly ClientMessage[]).entries()) {
      checkParts(message, `messages[${index}][${place}]`);
    }
  }
  return list;
}

/** TRL's parts of type `image` and `image_pil` hold pixels of a Python library; a URL is what can travel. */
function checkParts({ content }: ClientMessage, name: string): void {
  if (!Array.isArray(content)) return;
  for (const [index, part] of (content as readonly { readonly type?: unknown }[]).entries()) {
    if (part?.type === "image" || part?.type === "image_pil") {
      throw refuseImages(`${name}.content[${index}] of type "${part.type}"`);
    }
  }
}

const EXTRAS = ["tools", "tool_choice", "chat_template", "chat_template_kwargs"];

/** Takes the chat's own fields out of the sampling, where TRL's users write them; the options' count more. */
export function splitChat(
  sampling: ChatSampling,
  options: ChatOptions,
): { readonly sampling: ClientSamplingParams; readonly extras: ChatExtras } {
  const found: Record<string, unknown> = {};
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(sampling)) {
    const wire = toSnakeCase(name);
    if (EXTRAS.includes(wire)) found[wire] = value;
    else rest[name] = value;
  }
  const tools = options.tools ?? (found.tools as ChatExtras["tools"] | undefined) ?? null;
  for (const [index, tool] of (tools ?? []).entries()) {
    if (typeof tool === "function") {
      throw new TypeError(
        `tools[${index}] must be a JSON schema, got a function: only Python can read one off a signature.`,
      );
    }
  }
  const toolChoice = options.toolChoice ?? (found.tool_choice as ToolChoice | undefined) ?? null;
  if (toolChoice !== null && toolChoice !== "none" && (tools ?? []).length === 0) {
    throw new TypeError(`toolChoice ${JSON.stringify(toolChoice)} needs tools.`);
  }
  return {
    sampling: rest,
    extras: {
      tools,
      toolChoice,
      chatTemplate: options.chatTemplate ?? (found.chat_template as string | undefined) ?? null,
      chatTemplateKwargs:
        options.chatTemplateKwargs ?? (found.chat_template_kwargs as Record<string, unknown> | undefined) ?? null,
    },
  };
}
