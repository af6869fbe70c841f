/** What a batcher is given: its limits, and the checks of a request that need no more than the model's numbers. */
import { GatewayError, invalidValue } from "../errors.ts";
import type { BatchRequest, LoadedModel } from "./batch-types.ts";

export interface BatcherOptions {
  /** Sequences that run at the same time: cache slots. */
  readonly maxConcurrency: number;
  /** Sequences that may wait for a slot. */
  readonly maxQueue: number;
  /** Bytes that the KV cache may take; default: half of the machine's memory. */
  readonly kvCacheBytes?: number | undefined;
  /** Bytes of it that prefixes kept for reuse may take, 0 = none. Default: see `shareCache`. */
  readonly prefixCacheBytes?: number | undefined;
}

/** Throws GatewayError `invalid_value` or `context_length_exceeded` for what the model cannot run. */
export function checkPrompt(
  { promptIds, sampling, samples }: BatchRequest,
  { maxModelLen, vocabSize }: Pick<LoadedModel, "maxModelLen" | "vocabSize">,
): void {
  if (!Number.isInteger(samples) || samples < 1) throw invalidValue("n", samples, "an integer of at least 1");
  if (promptIds.length === 0) throw invalidValue("prompt", promptIds, "at least one token");
  const room = sampling.maxTokens > 0 ? maxModelLen - 1 : maxModelLen;
  if (promptIds.length > room) {
    throw new GatewayError(
      "context_length_exceeded",
      `The prompt has ${promptIds.length} tokens; the context of ${maxModelLen} takes at most ${room} before the output.`,
      { param: "prompt" },
    );
  }
  for (const id of promptIds) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw invalidValue("prompt", id, `token ids from 0 to ${vocabSize - 1}`);
    }
  }
}
