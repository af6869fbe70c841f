/** Gathers the events of an answer that is not streamed into prompts and samples. Knows no dialect. */
import type { FinishReason, GenerateEvent, PositionLogprobs } from "../contract/generation.ts";
import type { Stamp } from "../gateway-types.ts";
import type { VersionSpan } from "./stamp.ts";

export type PromptEvent = Extract<GenerateEvent, { type: "prompt" }>;

export interface CollectedSample {
  text: string;
  readonly tokenIds: number[];
  readonly logprobs: PositionLogprobs[];
  reason: FinishReason;
  stopReason: string | number | null;
}

export interface CollectedAnswer {
  /** In request order. */
  readonly prompts: readonly PromptEvent[];
  /** Prompt-major: prompt × n + sample. */
  readonly samples: readonly CollectedSample[];
  readonly span: VersionSpan;
}

/** What a prompt looks like of which nothing was said. */
const silent = (prompt: number): PromptEvent => ({ type: "prompt", prompt, tokenIds: [], cachedTokens: 0, text: null });

/** Reads all events. Rejects when the generation fails. */
export async function collectAnswer(
  events: AsyncIterable<GenerateEvent>,
  shape: { readonly prompts: number; readonly samples: number },
  stamp: Stamp,
): Promise<CollectedAnswer> {
  const prompts = Array.from({ length: shape.prompts }, (_, index) => silent(index));
  const samples = Array.from(
    { length: shape.prompts * shape.samples },
    (): CollectedSample => ({ text: "", tokenIds: [], logprobs: [], reason: "abort", stopReason: null }),
  );
  let span: VersionSpan = { first: stamp.weightVersion, last: stamp.weightVersion };
  for await (const event of events) {
    if (event.type === "end") span = { first: event.firstVersion, last: event.lastVersion };
    else if (event.type === "prompt") prompts[event.prompt] = event;
    else if (event.type === "delta" || event.type === "finish") {
      const sample = samples[event.prompt * shape.samples + event.sample];
      if (sample === undefined) continue;
      if (event.type === "finish") {
        sample.reason = event.reason;
        sample.stopReason = event.stopReason;
      } else {
        sample.text += event.text;
        for (const id of event.tokenIds) sample.tokenIds.push(id);
        if (event.logprobs !== undefined) for (const entry of event.logprobs) sample.logprobs.push(entry);
      }
    }
  }
  return { prompts, samples, span };
}
