/** `truncate_prompt_tokens` and `truncation_side` → the neutral form. */
import type { Truncation } from "../../contract/generation.ts";

/** undefined where nothing is to be cut. */
export function toTruncation(fields: {
  readonly truncate_prompt_tokens?: number | null | undefined;
  readonly truncation_side?: "left" | "right" | null | undefined;
}): Truncation | undefined {
  const { truncate_prompt_tokens: tokens, truncation_side: side } = fields;
  if (tokens === undefined || tokens === null) return undefined;
  return { tokens, ...(side === undefined || side === null ? {} : { side }) };
}
