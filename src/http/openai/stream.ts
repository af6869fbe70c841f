/**
 * The loop of every OpenAI stream: events in, server-sent events out. Counts usage, keeps the last data chunk back
 * until the versions of the whole answer are known, and turns a late failure into an error event.
 */
import type { GenerateEvent } from "../../contract/generation.ts";
import { type GatewayError, toGatewayError } from "../../errors.ts";
import type { Stamp } from "../../gateway-types.ts";
import type { PromptEvent } from "../collect.ts";
import { toOrderedJson } from "../ordered-json.ts";
import { toOpenAiError } from "../problem.ts";
import { SSE_DONE, toSseEvent } from "../sse.ts";
import { toFingerprint, toStreamUsage, toWeightFields } from "./answer-fields.ts";
import type { RenderOptions } from "./render-options.ts";

export type DeltaEvent = Extract<GenerateEvent, { type: "delta" }>;
type FinishEvent = Extract<GenerateEvent, { type: "finish" }>;

/** Top-level fields of one chunk besides the envelope. */
export type ChunkFields = Record<string, unknown>;

/** What completions and chat do differently. `index` is prompt × n + sample. */
export interface ChunkWriter {
  /** Chunks that open each sample of a prompt. */
  opened(event: PromptEvent): Promise<readonly { readonly index: number; readonly fields: ChunkFields }[]>;
  /** undefined = nothing to say. */
  delta(event: DeltaEvent, index: number): ChunkFields | undefined;
  /** `last`: what the sample said just before, in the same chunk. */
  finish(event: FinishEvent, index: number, last: DeltaEvent | undefined): ChunkFields;
}

/** Two pieces of one sample as one. */
function join(first: DeltaEvent | undefined, second: DeltaEvent): DeltaEvent {
  if (first === undefined) return second;
  const logprobs = [...(first.logprobs ?? []), ...(second.logprobs ?? [])];
  return {
    ...second,
    text: first.text + second.text,
    tokenIds: [...first.tokenIds, ...second.tokenIds],
    ...(first.logprobs === undefined && second.logprobs === undefined ? {} : { logprobs }),
  };
}

export interface StreamSource {
  readonly events: AsyncIterable<GenerateEvent>;
  readonly stamp: Stamp;
  /** `text_completion` or `chat.completion.chunk`. */
  readonly object: string;
  readonly options: RenderOptions;
  readonly writer: ChunkWriter;
  /** Told of what went wrong after the head. */
  readonly onError: (error: GatewayError) => void;
}

/** Yields whole server-sent events; the iterator's `return()` frees the replica. Never throws. */
export async function* toOpenAiStream(source: StreamSource): AsyncGenerator<string> {
  const { stamp, options, writer } = source;
  const envelope = { id: options.id, object: source.object, created: options.created, model: stamp.model };
  const fingerprint = { system_fingerprint: toFingerprint(stamp) };
  const promptTokens = new Array<number>(options.prompts).fill(0);
  const made = new Array<number>(options.prompts * options.samples).fill(0);
  let cached = 0;
  let running = made.length;
  let held: ChunkFields | undefined;
  /** By sample: last pieces, whose `finish` is about to come. */
  const endings = new Map<number, DeltaEvent>();

  const usageAt = (index: number): ChunkFields =>
    options.continuousUsage && options.includeUsage
      ? {
          usage: toStreamUsage({
            prompt: promptTokens[Math.floor(index / options.samples)] ?? 0,
            completion: made[index] ?? 0,
            cached: 0,
          }),
        }
      : {};
  /** What every chunk begins with, up to its own fields, of which there is always one. */
  const head = `${toOrderedJson(envelope).slice(0, -1)},`;
  const chunk = (fields: ChunkFields): string => toSseEvent(head + toOrderedJson(fields).slice(1));
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

  try {
    for await (const event of source.events) {
      if (event.type === "prompt") {
        promptTokens[event.prompt] = event.tokenIds.length;
        cached += event.cachedTokens;
        for (const { index, fields } of await writer.opened(event)) yield chunk({ ...fields, ...usageAt(index) });
      } else if (event.type === "delta") {
        const index = event.prompt * options.samples + event.sample;
        made[index] = (made[index] ?? 0) + event.tokenIds.length;
        if (event.last === true) {
          endings.set(index, join(endings.get(index), event));
          continue;
        }
        const fields = writer.delta(event, index);
        if (fields !== undefined) yield chunk({ ...fields, ...usageAt(index) });
      } else if (event.type === "finish") {
        const index = event.prompt * options.samples + event.sample;
        running -= 1;
        const fields = {
          ...writer.finish(event, index, endings.get(index)),
          ...usageAt(index),
          ...(options.includeUsage ? {} : fingerprint),
        };
        if (running === 0 && !options.includeUsage) held = fields;
        else yield chunk(fields);
      } else if (event.type === "end") {
        const weights = toWeightFields(stamp, { first: event.firstVersion, last: event.lastVersion });
        const usage = toStreamUsage({ prompt: sum(promptTokens), completion: sum(made), cached });
        if (options.includeUsage) yield chunk({ choices: [], usage, ...fingerprint, ...weights });
        else if (held !== undefined) yield chunk({ ...held, ...weights });
        held = undefined;
      }
    }
    if (held !== undefined) yield chunk(held);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    source.onError(error);
    yield toSseEvent(JSON.stringify(toOpenAiError(error)));
  }
  yield SSE_DONE;
}
