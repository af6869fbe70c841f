/**
 * Conversation → what a chat template expects, as vLLM 0.32 does it (`entrypoints/chat_utils.py`): content parts are
 * joined unless the template walks them, tool-call arguments become objects. Says nothing about roles: the template does.
 */
import type { ChatMessage } from "../contract/generation.ts";
import { GatewayError, showValue } from "../errors.ts";
import { parsePythonJson } from "./json.ts";

/** What a template does with `content`: prints it, or walks a list of `{type, text}` parts. */
export type ContentFormat = "string" | "parts";

const TEXT_PARTS: ReadonlySet<string> = new Set(["text", "input_text", "output_text", "refusal", "thinking"]);

function partText(part: unknown, param: string): string {
  if (typeof part === "string") return part;
  const { type, ...rest } = (typeof part === "object" && part !== null ? part : {}) as Record<string, unknown>;
  const kind = typeof type === "string" ? type : "text" in rest ? "text" : undefined;
  if (kind === undefined || !TEXT_PARTS.has(kind)) {
    throw new GatewayError(
      "unsupported",
      `${param}.type must be "text": the served model is not a multimodal model, got ${showValue(kind ?? part)}.`,
      { param: `${param}.type` },
    );
  }
  const text = rest[kind === "refusal" || kind === "thinking" ? kind : "text"];
  if (typeof text !== "string") {
    throw new GatewayError("invalid_value", `${param}.text must be a string, got ${showValue(text)}.`, {
      param: `${param}.text`,
    });
  }
  return text;
}

function toContent(content: unknown, format: ContentFormat, param: string): unknown {
  if (content === undefined || content === null) return "";
  if (!Array.isArray(content)) return content;
  const texts = content.map((part, index) => partText(part, `${param}.${index}`));
  return format === "string" ? texts.join("\n") : texts.map((text) => ({ type: "text", text }));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Templates want an object. What is none counts as empty, as in vLLM: failing would end the whole conversation. */
function toArguments(value: unknown): unknown {
  let parsed = value;
  try {
    if (typeof value === "string" && value !== "") parsed = parsePythonJson(value);
  } catch {
    return {};
  }
  return isObject(parsed) ? parsed : {};
}

/** Arguments of tool calls come as JSON text (OpenAI) and are objects for templates. No calls at all leave no key. */
function toToolCalls(calls: unknown, param: string): unknown {
  if (!Array.isArray(calls)) return calls;
  if (calls.length === 0) return undefined;
  return calls.map((call: unknown, index) => {
    if (!isObject(call) || (call.type ?? "function") !== "function" || !isObject(call.function)) {
      const field = `${param}.${index}`;
      throw new GatewayError("invalid_value", `${field} must be a call of type "function", got ${showValue(call)}.`, {
        param: field,
      });
    }
    return { ...call, function: { ...call.function, arguments: toArguments(call.function.arguments) } };
  });
}

/** The content of tools is text for templates, also when it came in parts. */
const isTool = (message: ChatMessage): boolean => message.role === "tool";

/** Prepares messages for the template. Throws GatewayError naming the part that is no text. */
export function toTemplateMessages(messages: readonly ChatMessage[], format: ContentFormat): Record<string, unknown>[] {
  return messages.map((message, index) => {
    const out: Record<string, unknown> = {
      ...message,
      content: toContent(message.content, isTool(message) ? "string" : format, `messages.${index}.content`),
    };
    if ("tool_calls" in message) out.tool_calls = toToolCalls(message.tool_calls, `messages.${index}.tool_calls`);
    return out;
  });
}

const textOf = (content: unknown): string => {
  if (typeof content === "string") return content;
  const parts = Array.isArray(content) ? (content as { readonly text?: unknown }[]) : [];
  return parts.map((part) => (typeof part.text === "string" ? part.text : "")).join("\n");
};

/**
 * Messages of the role `developer` become system messages where the template never speaks of developers, and are put in
 * front as one with the others (vLLM 0.32, `_convert_developer_to_system`).
 */
export function toKnownRoles(
  messages: readonly Record<string, unknown>[],
  template: string,
): Record<string, unknown>[] {
  const known = template.includes('"developer"') || template.includes("'developer'");
  if (known || !messages.some(({ role }) => role === "developer")) return [...messages];
  const converted = messages.map((message) => {
    if (message.role !== "developer") return message;
    const { tools: _tools, ...rest } = message;
    return { ...rest, role: "system" };
  });
  const isSystem = ({ role }: Record<string, unknown>): boolean => role === "system";
  if (converted.findLastIndex(isSystem) === 0) return converted;
  const content = converted
    .filter(isSystem)
    .map((message) => textOf(message.content))
    .filter((text) => text !== "")
    .join("\n\n");
  return [{ role: "system", content }, ...converted.filter((message) => !isSystem(message))];
}
