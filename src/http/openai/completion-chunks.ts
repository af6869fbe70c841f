/** Chunks of a streamed completion, as vLLM 0.32 writes them. */
import { type Detokenize, toEchoText } from "./echo.ts";
import { toCompletionLogprobs } from "./logprobs.ts";
import type { RenderOptions } from "./render-options.ts";
import type { ChunkFields, ChunkWriter, DeltaEvent } from "./stream.ts";

/** The first chunk of a sample carries its prompt's token ids when they were asked for. */
export function createCompletionChunks(options: RenderOptions, detokenize: Detokenize): ChunkWriter {
  const offsets = new Map<number, number>();
  /** Prompt token ids that a sample's next chunk will show. */
  const unseen = new Map<number, readonly number[]>();

  const choice = (index: number, fields: ChunkFields): ChunkFields => {
    const promptIds = unseen.get(index) ?? null;
    unseen.delete(index);
    return {
      choices: [
        {
          index,
          text: "",
          logprobs: null,
          finish_reason: null,
          stop_reason: null,
          prompt_token_ids: promptIds,
          token_ids: options.tokenIds ? [] : null,
          ...fields,
        },
      ],
    };
  };

  const shown = (event: DeltaEvent, index: number): ChunkFields => {
    let logprobs: unknown = null;
    if (options.logprobs !== undefined && event.logprobs !== undefined && event.logprobs.length > 0) {
      const built = toCompletionLogprobs(event.logprobs, {
        top: options.logprobs,
        asIds: options.tokensAsIds,
        offset: offsets.get(index) ?? 0,
      });
      offsets.set(index, built.offset);
      logprobs = built.logprobs;
    }
    return { text: event.text, logprobs, token_ids: options.tokenIds ? event.tokenIds : null };
  };

  return {
    async opened(event) {
      const first = event.prompt * options.samples;
      const indexes = Array.from({ length: options.samples }, (_, sample) => first + sample);
      if (options.tokenIds) for (const index of indexes) unseen.set(index, event.tokenIds);
      if (!options.echo) return [];
      const text = await toEchoText(event, detokenize);
      return indexes.map((index) => ({ index, fields: choice(index, { text }) }));
    },
    delta(event, index) {
      return options.hideOutput ? undefined : choice(index, shown(event, index));
    },
    finish(event, index, last) {
      return choice(index, {
        ...(last === undefined || options.hideOutput ? {} : shown(last, index)),
        finish_reason: event.reason,
        stop_reason: event.stopReason,
      });
    },
  };
}
