/** Chunks of a streamed chat answer, as vLLM 0.32 writes them: the role first, then content, then the reason it ended. */
import { toChatLogprobs } from "./logprobs.ts";
import type { RenderOptions } from "./render-options.ts";
import type { ChunkWriter } from "./stream.ts";

export function createChatChunks(options: RenderOptions): ChunkWriter {
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
      const logprobs =
        options.logprobs === undefined || event.logprobs === undefined
          ? null
          : toChatLogprobs(event.logprobs, { top: options.logprobs, asIds: options.tokensAsIds });
      return {
        choices: [
          {
            index,
            delta: { content: event.text },
            logprobs,
            finish_reason: null,
            token_ids: options.tokenIds ? event.tokenIds : null,
          },
        ],
      };
    },
    finish(event, index) {
      return {
        choices: [
          {
            index,
            delta: { content: "" },
            logprobs: null,
            finish_reason: event.reason,
            stop_reason: event.stopReason,
            token_ids: options.tokenIds ? [] : null,
          },
        ],
      };
    },
  };
}
