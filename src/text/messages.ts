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

/** Arguments of tool calls come as JSON text (OpenAI) and are objects for templates. */
function toToolCalls(calls: unknown, param: string): unknown {
  if (!Array.isArray(calls)) return calls;
  return calls.map((call: unknown, index) => {
    const of = (typeof call === "object" && call !== null ? (call as Record<string, unknown>).function : undefined) as
      | Record<string, unknown>
      | undefined;
    if (of === undefined || typeof of.arguments !== "string") return call;
    let parsed: unknown;
    try {
      parsed = of.arguments === "" ? {} : parsePythonJson(of.arguments);
    } catch {
      const field = `${param}.${index}.function.arguments`;
      throw new GatewayError("invalid_value", `${field} must be JSON text, got ${showValue(of.arguments)}.`, {
        param: field,
      });
    }
    return { ...(call as Record<string, unknown>), function: { ...of, arguments: parsed } };
  });
}

/** Prepares messages for the template. Throws GatewayError naming the part that is no text. */
export function toTemplateMessages(messages: readonly ChatMessage[], format: ContentFormat): Record<string, unknown>[] {
  return messages.map((message, index) => {
    const out: Record<string, unknown> = {
      ...message,
      content: toContent(message.content, format, `messages.${index}.content`),
    };
    if ("tool_calls" in message) out.tool_calls = toToolCalls(message.tool_calls, `messages.${index}.tool_calls`);
    return out;
  });
}
