/**
 * A worker without a process and without a model: the real request layer over a batcher that recites. What it recites
 * depends on the weights, so that a switch shows. One step gives every running sequence one token.
 */
import { fileURLToPath } from "node:url";
import type { WeightDigest } from "../../src/contract/ids.ts";
import type { WeightSet } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import type { Child, ChildExit } from "../../src/ports.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import type {
  Batcher,
  BatchOutput,
  BatchRequest,
  LoadedModel,
  LoadModelOptions,
} from "../../src/worker/batch-types.ts";
import { encodeFrame, FrameReader } from "../../src/worker/frame.ts";
import { type FromWorker, PROTOCOL_VERSION, type ToWorker } from "../../src/worker/protocol.ts";
import { createWorkerCore, type WorkerCore } from "../../src/worker/requests/core.ts";
import type { WorkerParts } from "../../src/worker/requests/served.ts";

/** A real model directory: its words are used, its weights are not. */
export const MODEL = fileURLToPath(new URL("../../models/tide-nano/base", import.meta.url));

const files = createFiles();
const json = async (name: string): Promise<unknown> => JSON.parse(await files.readText(files.resolve(MODEL, name)));
export const tokenizer = createTokenizer(await json("tokenizer.json"), await json("tokenizer_config.json"));

/** The end token of the model directory. */
export const EOS = tokenizer.tokenId("<|im_end|>") ?? -1;

export const digestOf = (text: string): WeightDigest => {
  let sum = 0;
  for (const character of text) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 2 ** 32;
  return `sha256:${sum.toString(16).padStart(64, "0")}` as WeightDigest;
};

interface Recital extends LoadedModel {
  readonly ids: readonly number[];
  released: boolean;
}

/** A weight set is recited by the name of its file: `set("two words")`. */
export const set = (text: string, partial = false): WeightSet => ({ files: [text], digest: digestOf(text), partial });

/** Models made so far, released ones too. */
export type Models = Recital[];

const toModel = (text: string): Recital => ({
  vocabSize: 512,
  hiddenSize: 4,
  maxModelLen: 64,
  tensors: [{ name: "text", dtype: "F32", shape: [text.length] }],
  digest: digestOf(text),
  weightBytes: text.length,
  provider: "recital",
  ids: [...tokenizer.encode(text, false), EOS],
  released: false,
  release() {
    this.released = true;
  },
});

interface Running {
  readonly request: BatchRequest;
  readonly sample: number;
  count: number;
}

export class RecitingBatcher implements Batcher {
  #model: Recital;
  #running: Running[] = [];
  #prompts: BatchRequest[] = [];
  #pending: BatchOutput[] = [];
  steps = 0;
  /** How often the memory of the KV cache was given back. */
  releases = 0;

  constructor(model: LoadedModel) {
    this.#model = model as Recital;
  }

  get running(): number {
    return this.#running.length;
  }
  get waiting(): number {
    return this.#prompts.length;
  }
  get idle(): boolean {
    return this.running + this.waiting + this.#pending.length === 0;
  }

  submit(request: BatchRequest): void {
    if (this.#prompts.length >= 8) throw new GatewayError("too_many_requests", "full");
    this.#prompts.push(request);
  }

  cancel(key: number, sample?: number): void {
    this.#prompts = this.#prompts.filter((request) => request.key !== key || sample !== undefined);
    this.#running = this.#running.filter(
      (one) => one.request.key !== key || (sample !== undefined && one.sample !== sample),
    );
  }

  abortAll(): void {
    const end = (request: BatchRequest, sample: number): void => {
      this.#pending.push({ type: "finish", key: request.key, sample, reason: "abort", stopTokenId: null });
    };
    for (const { request, sample } of this.#running) end(request, sample);
    for (const request of this.#prompts) for (let n = 0; n < request.samples; n += 1) end(request, n);
    this.#running = [];
    this.#prompts = [];
  }

  step(): readonly BatchOutput[] {
    this.steps += 1;
    const out = this.#pending;
    this.#pending = [];
    if (out.length > 0) return out;
    for (const request of this.#prompts.splice(0)) {
      out.push({ type: "prompt", key: request.key, cachedTokens: 0, logprobs: null });
      for (let sample = 0; sample < request.samples; sample += 1) this.#running.push({ request, sample, count: 0 });
    }
    for (const one of [...this.#running]) this.#speak(one, out);
    return out;
  }

  #speak(one: Running, out: BatchOutput[]): void {
    const { key, sampling } = one.request;
    const place = { key, sample: one.sample } as const;
    const tokenId = this.#model.ids[one.count % this.#model.ids.length] ?? EOS;
    one.count += 1;
    const logprobs =
      sampling.logprobs < 0
        ? null
        : {
            tokenId,
            logprob: -0.5,
            rank: 1,
            topIds: Int32Array.of(tokenId, 300),
            topLogprobs: Float32Array.of(-0.5, Number.NEGATIVE_INFINITY),
          };
    out.push({ type: "token", ...place, tokenId, logprobs });
    const stopped = sampling.stopTokenIds.has(tokenId);
    const ended = stopped || sampling.eosTokenIds.has(tokenId);
    if (!ended && one.count < sampling.maxTokens) return;
    this.#running = this.#running.filter((other) => other !== one);
    const reason = ended ? "stop" : "length";
    out.push({ type: "finish", ...place, reason, stopTokenId: stopped ? tokenId : null });
  }

  resetPrefixCache(): void {}

  releaseCache(): void {
    this.releases += 1;
  }

  swapModel(model: LoadedModel): LoadedModel {
    return this.replaceModel(model);
  }

  replaceModel(model: LoadedModel): LoadedModel {
    const old = this.#model;
    this.#model = model as Recital;
    return old;
  }
}

/** What the model directory's own weights recite. */
export const BASE = "one two three four five six seven eight";

export interface FakeOptions {
  readonly models?: Models;
  /** Called before a model is loaded; may throw or wait. */
  readonly onLoad?: (options: LoadModelOptions) => void | Promise<void>;
  readonly send: (message: FromWorker) => void;
  readonly congested?: () => boolean;
  readonly turn?: () => Promise<void>;
  readonly onBatcher?: (batcher: RecitingBatcher) => void;
}

/** The request layer over reciting weights. */
export function createFakeCore(options: FakeOptions): WorkerCore {
  const parts: WorkerParts = {
    files,
    async loadModel(load) {
      await options.onLoad?.(load);
      load.onProgress(1, 1);
      let text = BASE;
      for (const one of load.sets) text = one.partial ? `${text} ${one.files[0]}` : String(one.files[0]);
      const model = toModel(text);
      options.models?.push(model);
      return model;
    },
    createBatcher(model) {
      const batcher = new RecitingBatcher(model);
      options.onBatcher?.(batcher);
      return batcher;
    },
    send: options.send,
    congested: options.congested ?? (() => false),
    now: () => new Date(0),
    drawSeed: () => 1,
    turn: options.turn ?? (() => new Promise((resolve) => void setTimeout(resolve, 0))),
    fail: (error) => {
      throw error;
    },
  };
  return createWorkerCore(parts);
}

/** A pipe's reading end: what is pushed is read until `end`. */
class Pipe implements AsyncIterable<Uint8Array> {
  #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: () => void = () => {};
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake();
  }
  end(): void {
    this.#ended = true;
    this.#wake();
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

export interface FakeChild extends Child {
  /** Ends the process from the outside. */
  end(exit: ChildExit): void;
  say(line: string): void;
  /** Stops answering, as a hung process does. */
  hang(): void;
  readonly received: ToWorker[];
}

let nextPid = 100_000;

/** A child process in this one. It greets, and then serves as `createFakeCore` does. */
export function createFakeChild(options: Omit<FakeOptions, "send"> & { readonly protocol?: number } = {}): FakeChild {
  const stdout = new Pipe();
  const stderr = new Pipe();
  let over = false;
  let hung = false;
  let resolveExit: (exit: ChildExit) => void = () => {};
  const exited = new Promise<ChildExit>((resolve) => {
    resolveExit = resolve;
  });
  const end = (exit: ChildExit): void => {
    if (over) return;
    over = true;
    stdout.end();
    stderr.end();
    resolveExit(exit);
  };
  const send = (message: FromWorker): void => {
    if (!over && !hung) stdout.push(encodeFrame(message));
  };
  const core = createFakeCore({ ...options, send });
  const reader = new FrameReader();
  const received: ToWorker[] = [];
  const pid = nextPid;
  nextPid += 1;
  send({ type: "hello", protocol: options.protocol ?? PROTOCOL_VERSION, pid, runtime: "fake" });
  return {
    pid,
    stdout,
    stderr,
    exited,
    received,
    end,
    say: (line) => stderr.push(new TextEncoder().encode(line)),
    hang: () => {
      hung = true;
    },
    kill: (signal) => end({ code: null, signal }),
    async write(bytes) {
      if (over) throw new Error("gone");
      for (const message of reader.push(bytes) as ToWorker[]) {
        received.push(message);
        if (message.type === "stop" && !hung) end({ code: 0, signal: null });
        else if (!hung) core.handle(message);
      }
    },
  };
}
