/** Runs a batcher by hand: sampling parameters with defaults, and a loop that collects what comes out. */

import { createFiles } from "../../src/platform/shared/files.ts";
import type {
  Batcher,
  BatchOutput,
  BatchRequest,
  LoadedModel,
  RawLogprobs,
  ResolvedSampling,
} from "../../src/worker/batch-types.ts";
import { loadModel } from "../../src/worker/load-model.ts";

/** Greedy, 64 tokens at most, logprobs of the sampled tokens; `over` replaces fields. */
export function sampling(over: Partial<ResolvedSampling> = {}): ResolvedSampling {
  return {
    maxTokens: 64,
    minTokens: 0,
    temperature: 0,
    topP: 1,
    topK: 0,
    minP: 0,
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    seed: 1,
    logprobs: -1,
    promptLogprobs: -1,
    logitBias: new Map(),
    allowedTokenIds: null,
    badWords: [],
    eosTokenIds: new Set(),
    stopTokenIds: new Set(),
    ...over,
  };
}

/** What one sample of one request gave. */
export interface Result {
  readonly ids: number[];
  readonly logprobs: (RawLogprobs | null)[];
  finish: Extract<BatchOutput, { type: "finish" }> | null;
}

export interface Collected {
  /** By `key/sample`. */
  readonly results: Map<string, Result>;
  readonly prompts: Map<number, Extract<BatchOutput, { type: "prompt" }>>;
  /** Pooled vectors, by key. */
  readonly embeddings: Map<number, Float32Array>;
  /** Everything, in order. */
  readonly outputs: BatchOutput[];
}

export const createCollected = (): Collected => ({
  results: new Map(),
  prompts: new Map(),
  embeddings: new Map(),
  outputs: [],
});

/** Adds outputs; throws when a sample speaks before its prompt or after its end. */
export function collect(collected: Collected, outputs: readonly BatchOutput[]): void {
  for (const output of outputs) {
    collected.outputs.push(output);
    if (output.type === "prompt") {
      if (collected.prompts.has(output.key)) throw new Error(`prompt ${output.key} came twice`);
      collected.prompts.set(output.key, output);
      continue;
    }
    if (output.type === "embedding") {
      collected.embeddings.set(output.key, output.values);
      continue;
    }
    const name = `${output.key}/${output.sample}`;
    const result = collected.results.get(name) ?? { ids: [], logprobs: [], finish: null };
    collected.results.set(name, result);
    if (result.finish !== null) throw new Error(`${name} went on after its end`);
    if (output.type === "finish") {
      result.finish = output;
      continue;
    }
    if (!collected.prompts.has(output.key)) throw new Error(`${name} spoke before its prompt`);
    result.ids.push(output.tokenId);
    result.logprobs.push(output.logprobs);
  }
}

/** Submits all, steps until idle. */
export function runAll(batcher: Batcher, requests: readonly BatchRequest[], collected = createCollected()): Collected {
  for (const request of requests) batcher.submit(request);
  while (!batcher.idle) collect(collected, batcher.step());
  return collected;
}

/** Loads a model directory (a path, or a URL relative to the caller) with the host's files. */
export function loadDirectory(directory: URL, maxModelLen?: number): Promise<LoadedModel> {
  return loadModel({
    files: createFiles(),
    directory: decodeURIComponent(directory.pathname),
    sets: [],
    device: "auto",
    maxModelLen,
    onProgress: () => {},
  });
}
