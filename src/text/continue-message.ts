/**
 * `continue_final_message` as transformers 5.23 does it (`render_jinja_template`): the final message gets a mark, and the
 * rendered text is cut where the mark comes out. Renders nothing itself.
 */
import { GatewayError } from "../errors.ts";
import { strip } from "./jinja/string-methods.ts";

/** transformers' own mark. */
const MARK = "CONTINUE_FINAL_MESSAGE_TAG ";

/** Names that a message's reasoning comes under, the standard one first (transformers 5.23, `_REASONING_FIELDS`). */
const REASONING_FIELDS: readonly string[] = ["reasoning_content", "thinking", "reasoning"];

type Message = Readonly<Record<string, unknown>>;

const refuse = (message: string): GatewayError => new GatewayError("invalid_value", message, { param: "messages" });

/** Reasoning under any of its names is there under the standard one, and as `thinking`, which gpt-oss templates read. */
export function aliasReasoning(message: Message): Message {
  const reasoning = REASONING_FIELDS.map((name) => message[name]).find(
    (value) => value !== undefined && value !== null,
  );
  return reasoning === undefined ? message : { thinking: reasoning, ...message, reasoning_content: reasoning };
}

/** A conversation whose final message carries the mark, and the final message's text as it was. */
export interface MarkedConversation {
  readonly messages: readonly Message[];
  readonly finalText: string;
}

/**
 * Marks the end of `field` in the final message: its text, or the last text among its parts. Throws GatewayError
 * `invalid_value` when there is no text to continue, or the template never reads the field.
 */
export function markFinalMessage(messages: readonly Message[], field: string, template: string): MarkedConversation {
  const last = messages.at(-1);
  const content = last?.[field];
  if (last === undefined || content === undefined || content === null) {
    throw refuse(`continue_final_message is set but the final message has no "${field}" to continue!`);
  }
  // Reasoning is there under several names: each copy is marked, and the template may read any of them.
  const fields = REASONING_FIELDS.includes(field) ? REASONING_FIELDS.filter((name) => last[name] === content) : [field];
  if (!fields.some((name) => template.includes(name))) {
    throw refuse(`continue_final_message is set to "${field}" but this is not an accepted field in the chat_template`);
  }
  const replaced = (value: unknown): readonly Message[] => [
    ...messages.slice(0, -1),
    { ...last, ...Object.fromEntries(fields.map((name) => [name, value])) },
  ];
  if (typeof content === "string") return { messages: replaced(content + MARK), finalText: content };
  if (Array.isArray(content)) {
    const parts = content as (Message | null)[];
    const index = parts.findLastIndex((part) => typeof part?.text === "string");
    const part = parts[index];
    if (part !== undefined && part !== null) {
      const text = String(part.text);
      return { messages: replaced(parts.with(index, { ...part, text: text + MARK })), finalText: text };
    }
  }
  throw refuse("continue_final_message is set but we could not find any text to continue in the final message!");
}

/** Cuts the rendered text at the mark. Throws GatewayError `invalid_value` when the final message did not come through. */
export function cutAtMark(rendered: string, finalText: string): string {
  const bare = strip(MARK);
  const at = rendered.lastIndexOf(bare);
  const wanted = strip(finalText);
  if (at < 0 || !rendered.includes(wanted)) {
    throw refuse(
      "continue_final_message is set but the final message does not appear in the chat after applying the chat " +
        "template! This can happen if the chat template deletes portions of the final message. Please verify the " +
        "chat template and final message in your chat to ensure they are compatible.",
    );
  }
  const kept = rendered.slice(0, at);
  // A template that trimmed the mark's space would have trimmed the message's too.
  return rendered.startsWith(MARK, at) ? kept : strip(kept, null, "right");
}
