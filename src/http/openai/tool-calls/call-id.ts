/** Ids of tool calls, as vLLM 0.32 makes them (`make_tool_call_id`, `MistralToolCall`). */
import type { RandomParts } from "./types.ts";

/** `chatcmpl-tool-` and 64 bits as hexadecimal digits. */
export const toCallId = (random: RandomParts): string =>
  `chatcmpl-tool-${random.uuid().replaceAll("-", "").slice(-16)}`;

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** Nine letters and digits: what Mistral's templates ask for. */
export const toShortCallId = (random: RandomParts): string =>
  Array.from({ length: 9 }, () => LETTERS[Math.floor(random.float() * LETTERS.length)] ?? "a").join("");
