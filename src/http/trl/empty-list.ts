/** Is a top-level field of a body the empty list? Read from the bytes, so that full bodies stay unparsed. */
import { createJsonScanner } from "../../lib/scan-json.ts";

const scanners = {
  prompts: createJsonScanner(["prompts"]),
  messages: createJsonScanner(["messages"]),
  sequences: createJsonScanner(["sequences"]),
};

/** True for `[]`, with any white space in it. */
export function hasEmptyList(body: Uint8Array, field: keyof typeof scanners): boolean {
  const found = scanners[field](body);
  if (!found.ok) return false;
  const value = (found.values as Record<string, unknown>)[field];
  if (typeof value !== "object" || value === null || !("kind" in value) || value.kind !== "array") return false;
  const { start, end } = value as unknown as { start: number; end: number };
  for (let at = start + 1; at < end - 1; at += 1) if ((body[at] ?? 0) > 0x20) return false;
  return true;
}
