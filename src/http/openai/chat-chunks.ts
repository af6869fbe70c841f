/** Chunks of a streamed chat answer, as vLLM 0.32 writes them: the role first, then content, then the reason it ended. */
import { toChatLogprobs } from "./logprobs.ts";
import type { RenderOptions } from "./render-options.ts";
import type { ChunkWriter, DeltaEvent } from "./stream.ts";
import { CallDeltas } from "./tool-calls/collect.ts";
import type { RandomParts } from "./tool-calls/types.ts";

/** `random`: for ids of tool calls. */
export function createChatChunks(options: RenderOptions, random: RandomParts): ChunkWriter {
  const { toolPlan } = options;
  const readers =
    toolPlan === undefined
      ? undefined
      : Array.from({ length: options.samples }, () => new CallDeltas(toolPlan, random));
  const toLogprobs = (event: DeltaEvent) =>
    options.logprobs === undefined || event.logprobs === undefined || event.logprobs.length === 0
      ? null
      : toChatLogprobs(event.logprobs, { top: options.logprobs, asIds: options.tokensAsIds });
  return {
    async opened(event) {
      return Array.from({ length: options.samples }, (_, index) => ({
        index,
        fields: {
          choices: [{ index, delta: { role: options.role, content: "" }, logprobs: null, finish_reason: null }],
          prompt_token_ids: options.tokenIds ? event.tokenIds : null,
          prompt_text: null,
        },
      }));
    },
    delta(event, index) {
      const logprobs = toLogprobs(event);
      const reader = readers?.[index];
      const delta = reader === undefined ? { content: event.text } : reader.push(event.text);
      // Text that may become a call is held back; what belongs to its tokens is not.
      if (delta === undefined && logprobs === null && !options.tokenIds) return undefined;
      return {
        choices: [
          {
            index,
            delta: delta ?? {},
            logprobs,
            finish_reason: null,
            token_ids: options.tokenIds ? event.tokenIds : null,
          },
        ],
      };
    },
    finish(event, index, last) {
      const reader = readers?.[index];
      const text = last?.text ?? "";
      const ended =
        reader === undefined ? { delta: { content: text }, reason: event.reason } : reader.finish(event.reason, text);
      return {
        choices: [
          {
            index,
            delta: ended.delta,
            logprobs: last === undefined ? null : toLogprobs(last),
            finish_reason: ended.reason,
            stop_reason: event.stopReason,
            token_ids: options.tokenIds ? (last?.tokenIds ?? []) : null,
          },
        ],
      };
    },
  };
}
