/** Chunks of a streamed completion, as vLLM 0.32 writes them. */
import { type Detokenize, type Echo, toEcho } from "./echo.ts";
import { toCompletionLogprobs } from "./logprobs.ts";
import type { RenderOptions } from "./render-options.ts";
import type { ChunkFields, ChunkWriter, DeltaEvent } from "./stream.ts";

/**
 * The first chunk of a sample carries its prompt's token ids when they were asked for. With `echo` it carries them
 * always, and begins with the prompt: text and logprobs.
 */
export function createCompletionChunks(options: RenderOptions, detokenize: Detokenize): ChunkWriter {
  const offsets = new Map<number, number>();
  /** Prompt token ids that a sample's next chunk will show. */
  const unseen = new Map<number, readonly number[]>();

  /** What a sample's next chunk begins with. */
  const echoes = new Map<number, Echo>();

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

  /** `event` undefined: there is only the prompt to show, if that. */
  const shown = (event: DeltaEvent | undefined, index: number): ChunkFields => {
    const echo = echoes.get(index);
    echoes.delete(index);
    let logprobs: unknown = null;
    const positions = [...(echo?.positions ?? []), ...(event?.logprobs ?? [])];
    if (options.logprobs !== undefined && positions.length > 0) {
      const built = toCompletionLogprobs(positions, {
        top: options.logprobs,
        asIds: options.tokensAsIds,
        offset: offsets.get(index) ?? 0,
      });
      offsets.set(index, built.offset);
      logprobs = built.logprobs;
    }
    const text = `${echo?.text ?? ""}${event?.text ?? ""}`;
    return { text, logprobs, token_ids: options.tokenIds ? (event?.tokenIds ?? []) : null };
  };

  return {
    async opened(event) {
      const first = event.prompt * options.samples;
      const indexes = Array.from({ length: options.samples }, (_, sample) => first + sample);
      if (options.tokenIds || options.echo) for (const index of indexes) unseen.set(index, event.tokenIds);
      if (!options.echo) return [];
      const echo = await toEcho(event, detokenize, options);
      for (const index of indexes) echoes.set(index, echo);
      return [];
    },
    delta(event, index) {
      return options.hideOutput ? undefined : choice(index, shown(event, index));
    },
    finish(event, index, last) {
      return choice(index, {
        ...shown(options.hideOutput ? undefined : last, index),
        finish_reason: event.reason,
        stop_reason: event.stopReason,
      });
    },
  };
}
