/** Fields that every OpenAI answer carries: usage, fingerprint, weight stamp. Pure. */
import type { Stamp } from "../../gateway-types.ts";
import { toVersionField, type VersionSpan } from "../stamp.ts";

/** Token counts of one answer. */
export interface UsageCounts {
  readonly prompt: number;
  readonly completion: number;
  readonly cached: number;
}

const DIGEST_PREFIX = "sha256:".length;

/** OpenAI's word for "what backend made this": here the weights themselves, so it changes exactly when they do. */
export const toFingerprint = (stamp: Stamp): string | null =>
  stamp.weightDigest === null ? null : `tidegate-${stamp.weightDigest.slice(DIGEST_PREFIX, DIGEST_PREFIX + 8)}`;

/** `usage` of a whole answer; details are null where there is nothing to tell. */
export function toUsage(counts: UsageCounts): Record<string, unknown> {
  return {
    prompt_tokens: counts.prompt,
    total_tokens: counts.prompt + counts.completion,
    completion_tokens: counts.completion,
    prompt_tokens_details: counts.cached > 0 ? { cached_tokens: counts.cached } : null,
    completion_tokens_details: null,
  };
}

/** `usage` in streams: vLLM leaves null fields out there. */
export function toStreamUsage(counts: UsageCounts): Record<string, unknown> {
  return {
    prompt_tokens: counts.prompt,
    total_tokens: counts.prompt + counts.completion,
    completion_tokens: counts.completion,
    ...(counts.cached > 0 ? { prompt_tokens_details: { cached_tokens: counts.cached } } : {}),
  };
}

/** `weight_version` and `weight_digest` of a body; a mixed answer has no single digest. */
export function toWeightFields(stamp: Stamp, span: VersionSpan): Record<string, unknown> {
  return {
    weight_version: toVersionField(span),
    weight_digest: span.first === span.last ? stamp.weightDigest : null,
  };
}
