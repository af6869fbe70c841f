/** Everything a loaded worker serves with, put together: words, weights, batcher, live calls. */
import { availableParallelism } from "node:os";
import type { Files } from "../../ports.ts";
import type { Batcher, LoadedModel, LoadModelOptions } from "../batch-types.ts";
import { type FromWorker, type LoadedInfo, type LoadOptions, toWireError, toWireEvent } from "../protocol.ts";
import { Generations } from "./generations.ts";
import { WeightResidency } from "./residency.ts";
import { Scheduler } from "./scheduler.ts";
import { openWords, type ServedModel } from "./served-model.ts";
import { type LoadModel, type LoadWeights, ServedWeights } from "./served-weights.ts";
import { toPortions } from "./split-events.ts";

export interface BatcherOptions {
  /** Sequences decoded at a time. */
  readonly maxConcurrency: number;
  /** Sequences that may wait. */
  readonly maxQueue: number;
}

/** What the request layer is given; tests put a small batcher of their own here. */
export interface WorkerParts {
  readonly files: Files;
  readonly loadModel: LoadModel;
  readonly createBatcher: (model: LoadedModel, options: BatcherOptions) => Batcher;
  readonly send: (message: FromWorker) => void;
  /** The pipe holds so much that nothing should be added which can wait. */
  readonly congested: () => boolean;
  readonly now: () => Date;
  /** A seed for a request that named none. */
  readonly drawSeed: () => number;
  readonly turn: () => Promise<void>;
  /** The process is of no more use: the native code failed in a step. */
  readonly fail: (error: unknown) => void;
}

export interface Served {
  readonly model: ServedModel;
  readonly info: LoadedInfo;
  readonly weights: ServedWeights;
  readonly residency: WeightResidency;
  readonly generations: Generations;
  readonly scheduler: Scheduler;
  /** Sends what is ready of every call. */
  readonly flush: () => void;
}

/**
 * What is not asked for by name is float32, also for a file of blocks: products with blocks round their activations, and
 * that is enough to turn a greedy answer of a small model.
 */
const toHeld = (quantize: LoadOptions["quantize"] | undefined): NonNullable<LoadModelOptions["quantize"]> =>
  quantize === "keep" ? "auto" : quantize === undefined || quantize === "auto" ? "none" : quantize;

/** What an operator has to know of the device that is not the device: why it is no other, and what runs elsewhere. */
function toDeviceFacts(device: LoadedModel["device"]): Pick<LoadedInfo, "deviceFallback" | "operatorsOnCpu"> {
  const { notes = [], elsewhere = "" } = device ?? {};
  return {
    ...(notes.length === 0 ? {} : { deviceFallback: notes.map((note) => note.replace(/\.$/, "")).join("; ") }),
    ...(elsewhere === "" ? {} : { operatorsOnCpu: elsewhere }),
  };
}

/** Opens and loads a model directory. Throws what `openCheckpoint` and `loadModel` throw. */
export async function openServed(
  parts: WorkerParts,
  options: LoadOptions,
  onProgress: (bytesDone: number, bytesTotal: number) => void,
): Promise<Served> {
  const words = await openWords(parts.files, options.directory, options.skipTokenizer);
  let started = false;
  const load: LoadWeights = (sets, residency, progress) =>
    parts.loadModel({
      files: parts.files,
      directory: options.directory,
      sets,
      device: options.device,
      maxModelLen: options.maxModelLen,
      quantize: toHeld(options.quantize),
      memory: {
        slots: options.maxConcurrency,
        // A second set of weights beside the first is not what the budget is for: it is checked against what is free.
        budgetBytes: started ? undefined : options.memoryBudget,
        replicas: started ? 1 : (options.replicas ?? 1),
      },
      residency,
      spoolDirectory: options.spoolDirectory,
      onProgress: progress,
    });
  const directive = options.residency ?? {};
  const first = await load(options.sets, directive, onProgress);
  started = true;
  for (const note of first.device?.notes ?? []) {
    parts.send({ type: "log", level: "info", message: `device auto: ${note}` });
  }
  if (first.device !== undefined) {
    const { provider, name, elsewhere } = first.device;
    parts.send({ type: "log", level: "info", message: `device: runs on ${provider} (${name})` });
    if (elsewhere !== "") {
      parts.send({ type: "log", level: "warn", message: `device: these operators run on the CPU: ${elsewhere}` });
    }
  }
  const model: ServedModel = {
    ...words,
    maxModelLen: first.maxModelLen,
    vocabSize: first.vocabSize,
    hiddenSize: first.hiddenSize,
    maxLogprobs: options.maxLogprobs,
    rawLogprobs: options.logprobsMode === "raw_logprobs",
  };
  const weights = new ServedWeights({ model: first, sets: options.sets, version: options.version, directive }, load);
  const batcher = parts.createBatcher(first, options);
  if (batcher.cacheTokens !== undefined) {
    const whole = Math.floor(batcher.cacheTokens / first.maxModelLen);
    const message = `KV cache: ${batcher.cacheTokens} tokens, ${whole} sequences of ${first.maxModelLen} at a time`;
    parts.send({ type: "log", level: "info", message });
  }

  const flush = (): void => {
    if (parts.congested()) return;
    for (const call of generations.all()) {
      for (const events of toPortions(call.outbox.take())) {
        parts.send({ type: "events", id: call.id, events: events.map(toWireEvent) });
      }
      if (call.open === 0 && call.outbox.empty) generations.remove(call);
    }
  };
  const generations: Generations = new Generations({
    sequenceLimit: options.maxConcurrency + options.maxQueue,
    stamp: () => weights.stamp,
    now: parts.now,
    drawSeed: parts.drawSeed,
    release: (key, sample) => scheduler.release(key, sample),
  });
  const scheduler: Scheduler = new Scheduler({
    batcher,
    maxQueue: options.maxQueue,
    maxQueuedTokens: options.maxQueuedTokens,
    accept: (outputs) => generations.accept(outputs, model),
    refuse: (call, error) => {
      generations.remove(call);
      parts.send({ type: "error", id: call.id, error: toWireError(error) });
    },
    flush,
    turn: parts.turn,
    sharing: () => weights.reading,
    fail: parts.fail,
  });
  const residency = new WeightResidency(weights, scheduler);
  const info: LoadedInfo = {
    maxModelLen: first.maxModelLen,
    vocabSize: first.vocabSize,
    digest: first.digest,
    weightBytes: first.weightBytes,
    provider: `${first.provider}, ${availableParallelism()} cores`,
    ...(first.weightFormat === undefined ? {} : { weightFormat: first.weightFormat }),
    ...(first.device === undefined ? {} : { device: `${first.device.provider}: ${first.device.name}` }),
    ...(batcher.cacheTokens === undefined ? {} : { kvCacheTokens: batcher.cacheTokens }),
    ...toDeviceFacts(first.device),
    tensors: first.tensors,
    residency: residency.report(),
  };
  return { model, info, weights, residency, generations, scheduler, flush };
}
