/**
 * Chat messages as requests bring them → neutral ones. Their contents stay as they are: whether a template takes
 * strings or parts is the template's matter. Only parts that no text model can read are refused.
 */
import type { ChatMessage } from "../../contract/generation.ts";
import type { ChatRequestMessage } from "../../contract/openai/chat.ts";
import { GatewayError, invalidValue } from "../../errors.ts";

/** Content part types that are text under another name. */
const TEXT_PARTS: ReadonlySet<string> = new Set(["text", "input_text", "output_text", "refusal", "thinking"]);

function checkText(text: unknown, param: string): void {
  if (typeof text !== "string" || text.isWellFormed()) return;
  throw invalidValue(param, text, "Unicode text: it holds half of a surrogate pair");
}

function checkParts(content: ChatRequestMessage["content"], param: string): void {
  checkText(content, `${param}.content`);
  if (!Array.isArray(content)) return;
  for (const [index, part] of content.entries()) {
    checkText(part.text, `${param}.content.${index}.text`);
    if (TEXT_PARTS.has(part.type)) continue;
    const where = `${param}.content.${index}.type`;
    throw new GatewayError(
      "unsupported",
      `${where} "${part.type}" is not supported: embedded replicas serve text models. Send parts of type "text".`,
      { param: where },
    );
  }
}

/** `param` names the list in errors. Throws GatewayError for an empty list and for parts that are not text. */
export function toMessages(messages: readonly ChatRequestMessage[], param = "messages"): readonly ChatMessage[] {
  if (messages.length === 0) throw invalidValue(param, messages, "a list of at least one message");
  for (const [index, message] of messages.entries()) checkParts(message.content, `${param}.${index}`);
  return messages as readonly ChatMessage[];
}
