/** The response object of `/v1/responses`: what it is before, and after its text is made. Pure. */
import type { FinishReason, PositionLogprobs } from "../../../contract/generation.ts";
import type { Stamp } from "../../../gateway-types.ts";
import type { VersionSpan } from "../../stamp.ts";
import { toWeightFields, type UsageCounts } from "../answer-fields.ts";
import { toChatLogprobs } from "../logprobs.ts";
import type { ParsedResponse } from "./request.ts";

export type Item = Readonly<Record<string, unknown>>;

/** A sample that has ended. */
export interface Ended {
  readonly text: string;
  readonly logprobs: readonly PositionLogprobs[];
  readonly reason: FinishReason;
}

/** Token log probabilities of an output text; [] where none were asked for. */
export const toTextLogprobs = (parsed: ParsedResponse, positions: readonly PositionLogprobs[]): unknown =>
  parsed.logprobs === undefined ? [] : toChatLogprobs(positions, { top: parsed.logprobs, asIds: false }).content;

/** The one content part of the answer. */
export const toTextPart = (text: string, logprobs: unknown): Item => ({
  type: "output_text",
  text,
  annotations: [],
  logprobs,
});

/** The one item of the answer. */
export const toItem = (id: string, status: string, content: readonly Item[]): Item => ({
  id,
  type: "message",
  role: "assistant",
  status,
  content,
});

/** `length` is an answer that was cut; one that a pause ended was cancelled. */
export const toStatus = (reason: FinishReason): "completed" | "incomplete" | "cancelled" =>
  reason === "stop" ? "completed" : reason === "length" ? "incomplete" : "cancelled";

/** A finished message's own status. */
export const toItemStatus = (reason: FinishReason): string => (reason === "stop" ? "completed" : "incomplete");

const toUsage = ({ prompt, completion, cached }: UsageCounts): Item => ({
  input_tokens: prompt,
  input_tokens_details: { cached_tokens: cached, cache_write_tokens: 0 },
  output_tokens: completion,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: prompt + completion,
});

/** `ended` absent: the response has begun, and has no output yet. */
export function toResponse(
  parsed: ParsedResponse,
  stamp: Stamp,
  ended?: {
    readonly item: Item;
    readonly reason: FinishReason;
    readonly usage: UsageCounts;
    readonly span: VersionSpan;
  },
): Item {
  const status = ended === undefined ? "in_progress" : toStatus(ended.reason);
  return {
    id: parsed.id,
    object: "response",
    created_at: parsed.created,
    status,
    error: null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    model: stamp.model,
    output: ended === undefined ? [] : [ended.item],
    ...parsed.echoed,
    usage: ended === undefined ? null : toUsage(ended.usage),
    ...(ended === undefined ? {} : toWeightFields(stamp, ended.span)),
  };
}
