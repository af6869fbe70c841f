/**
 * The live `generate` calls: from a checked request to batch requests, and from the batcher's outputs to the events of
 * each call. Stamps every call with the weight version of its first and its last output.
 */
import type { GenerateEvent, GenerateRequest, Pooling } from "../../contract/generation.ts";
import type { WeightDigest, WeightVersion } from "../../contract/ids.ts";
import { GatewayError } from "../../errors.ts";
import { noTokenizer } from "../../text/no-tokenizer.ts";
import type { BatchOutput, BatchRequest, Constraint } from "../batch-types.ts";
import { type Constraints, createConstraints } from "../grammar/constraint.ts";
import { toEmbedding } from "../pooling.ts";
import { checkDimensions } from "./dimensions.ts";
import { Outbox } from "./outbox.ts";
import { type PreparedPrompt, preparePrompt } from "./prompt.ts";
import { checkPromptCandidates } from "./prompt-candidates.ts";
import { createSampleOutput, type SampleFinish, type SampleOutput, toPosition } from "./sample-output.ts";
import { checkSampling } from "./sampling.ts";
import type { ServedModel } from "./served-model.ts";

export interface Stamp {
  readonly version: WeightVersion;
  readonly digest: WeightDigest | null;
}

interface Part {
  readonly call: Call;
  readonly prompt: number;
  readonly key: number;
  readonly prepared: PreparedPrompt;
  readonly samples: (SampleOutput | null)[];
  prompted: boolean;
}

/** One `generate` call. */
export interface Call {
  readonly id: number;
  readonly outbox: Outbox;
  readonly parts: readonly Part[];
  readonly requests: readonly BatchRequest[];
  readonly pooling: Pooling | undefined;
  /** Sequences of it that have not ended. */
  open: number;
  /** Set with the first output. */
  first: Stamp | null;
  last: Stamp | null;
}

/** Prompts of one request; more come as several requests. A bound on work done before anything is refused. */
const PROMPTS_LIMIT = 4096;

const LAST = { last: true } as const;

/** What follows a token of a sample is that sample's end. */
const isFinish = (next: BatchOutput | undefined, token: Extract<BatchOutput, { type: "token" }>): boolean =>
  next?.type === "finish" && next.key === token.key && next.sample === token.sample;

export interface GenerationsOptions {
  /** Sequences (prompts × n) of one request at most: more could never be queued. */
  readonly sequenceLimit: number;
  readonly stamp: () => Stamp;
  readonly now: () => Date;
  readonly drawSeed: () => number;
  /** Tells the batcher that a sample ended by a stop string. */
  readonly release: (key: number, sample: number) => void;
}

/** See the file's head. Owns no batcher: the scheduler submits and steps. */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #calls = new Map<number, Call>();
  readonly #parts = new Map<number, Part>();
  #nextKey = 1;
  #constraints: Constraints | undefined;

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  get(id: number): Call | undefined {
    return this.#calls.get(id);
  }

  all(): IterableIterator<Call> {
    return this.#calls.values();
  }

  /** Checks a request and makes its batch requests; nothing is kept before `add`. Throws GatewayError. */
  prepare(id: number, request: GenerateRequest, credit: number, model: ServedModel): Call {
    if (request.prompts.length === 0) {
      throw new GatewayError("invalid_value", "You must pass at least one prompt", { param: "prompt" });
    }
    if (request.prompts.length > PROMPTS_LIMIT) {
      throw new GatewayError(
        "limit_exceeded",
        `prompt must hold at most ${PROMPTS_LIMIT} prompts, got ${request.prompts.length}.`,
        { param: "prompt" },
      );
    }
    const checked = checkSampling(request, model, this.#options.drawSeed);
    const sequences = request.prompts.length * checked.samples;
    if (sequences > this.#options.sequenceLimit) {
      throw new GatewayError(
        "limit_exceeded",
        `n × prompts must be at most ${this.#options.sequenceLimit} here, got ${sequences}.`,
        { param: "n" },
      );
    }
    if (request.pooling !== undefined) checkDimensions(request.pooling, model);
    const constraint = this.#constrain(request, model);
    const parts: Part[] = [];
    const requests: BatchRequest[] = [];
    const call: Call = {
      id,
      outbox: new Outbox(credit),
      parts,
      requests,
      pooling: request.pooling,
      open: sequences,
      first: null,
      last: null,
    };
    for (const [prompt, asked] of request.prompts.entries()) {
      const prepared = preparePrompt(asked, model, this.#options.now(), request);
      const sampling = request.pooling === undefined ? checked.resolve(prepared.ids.length) : checked.silent();
      const key = this.#nextKey;
      this.#nextKey += 1;
      const text =
        prepared.text ?? (request.echo ? model.tokenizer.decode(prepared.ids, checked.skipSpecialTokens) : null);
      const output = (): SampleOutput =>
        createSampleOutput(model.tokenizer, {
          promptIds: prepared.ids,
          stop: checked.stop,
          includeStop: checked.includeStop,
          skipSpecialTokens: checked.skipSpecialTokens,
          minTokens: checked.minTokens,
          isEnd: (tokenId) => sampling.eosTokenIds.has(tokenId) || sampling.stopTokenIds.has(tokenId),
        });
      parts.push({
        call,
        prompt,
        key,
        prepared: { ids: prepared.ids, text },
        samples: Array.from({ length: checked.samples }, output),
        prompted: false,
      });
      requests.push({
        key,
        promptIds: prepared.ids,
        samples: checked.samples,
        sampling,
        pooling: request.pooling?.type,
        ...(constraint === undefined ? {} : { constraint }),
        ...(request.cacheSalt === undefined ? {} : { cacheSalt: request.cacheSalt }),
      });
    }
    checkPromptCandidates(requests);
    return call;
  }

  #constrain(request: GenerateRequest, model: ServedModel): Constraint | undefined {
    const { structuredOutputs } = request.sampling;
    if (structuredOutputs === undefined) return undefined;
    if (model.skipTokenizer) throw noTokenizer(structuredOutputs.param);
    this.#constraints ??= createConstraints(model.tokenizer, model.vocabSize);
    return this.#constraints.compile(structuredOutputs);
  }

  add(call: Call): void {
    this.#calls.set(call.id, call);
    for (const part of call.parts) this.#parts.set(part.key, part);
  }

  /** Forgets a call; its batch requests are the caller's to cancel. */
  remove(call: Call): void {
    this.#calls.delete(call.id);
    for (const part of call.parts) this.#parts.delete(part.key);
  }

  /** Turns one step's outputs into events. Outputs of forgotten requests are ignored. */
  accept(outputs: readonly BatchOutput[], model: ServedModel): void {
    for (const [index, output] of outputs.entries()) {
      const part = this.#parts.get(output.key);
      if (part === undefined) continue;
      if (output.type === "prompt") {
        this.#prompt(part, output, model);
        continue;
      }
      if (output.type === "embedding") {
        const { pooling } = part.call;
        if (pooling === undefined) continue;
        this.#emit(part, { type: "embedding", prompt: part.prompt, values: toEmbedding(output.values, pooling) });
        continue;
      }
      const sample = part.samples[output.sample];
      if (sample === null || sample === undefined) continue;
      const place = { type: "delta", prompt: part.prompt, sample: output.sample } as const;
      if (output.type === "token") {
        const { delta, finish } = sample.token(output.tokenId, output.logprobs);
        const last = finish !== null || isFinish(outputs[index + 1], output);
        this.#emit(part, { ...place, ...delta, ...(last ? LAST : {}) });
        if (finish !== null) {
          this.#options.release(part.key, output.sample);
          this.#finish(part, output.sample, finish);
        }
      } else {
        const { delta, finish } = sample.finish(output.reason, output.stopTokenId);
        if (delta !== null) this.#emit(part, { ...place, ...delta, ...LAST });
        this.#finish(part, output.sample, finish);
      }
    }
  }

  #prompt(part: Part, output: Extract<BatchOutput, { type: "prompt" }>, model: ServedModel): void {
    if (part.prompted) return;
    part.prompted = true;
    const { ids, text } = part.prepared;
    const logprobs = output.logprobs?.map((raw, index) =>
      raw === null ? null : toPosition(model.tokenizer, raw, ids.slice(Math.max(0, index - 3), index)),
    );
    this.#push(part.call, {
      type: "prompt",
      prompt: part.prompt,
      tokenIds: ids,
      cachedTokens: output.cachedTokens,
      text,
      ...(logprobs === undefined ? {} : { logprobs }),
    });
  }

  #emit(part: Part, event: GenerateEvent): void {
    if (!part.prompted) {
      part.prompted = true;
      const { ids, text } = part.prepared;
      this.#push(part.call, { type: "prompt", prompt: part.prompt, tokenIds: ids, cachedTokens: 0, text });
    }
    this.#push(part.call, event);
  }

  /** Stamps and queues. The version of the first output is the one that the call starts with. */
  #push(call: Call, event: GenerateEvent): void {
    const stamp = this.#options.stamp();
    if (call.first === null) {
      call.first = stamp;
      call.outbox.add({ type: "start", weightVersion: stamp.version, weightDigest: stamp.digest });
    }
    // Held-back text and the finish itself are no work of the weights that serve by now.
    const worked =
      event.type === "prompt" || event.type === "embedding" || (event.type === "delta" && event.tokenIds.length > 0);
    if (worked || call.last === null) call.last = stamp;
    call.outbox.add(event);
  }

  #finish(part: Part, sample: number, finish: SampleFinish): void {
    if (part.samples[sample] === null) return;
    part.samples[sample] = null;
    this.#emit(part, { type: "finish", prompt: part.prompt, sample, ...finish });
    part.call.open -= 1;
    if (part.call.open > 0) return;
    const { first, last } = part.call;
    if (first === null || last === null) return;
    part.call.outbox.add({ type: "end", firstVersion: first.version, lastVersion: last.version });
    for (const done of part.call.parts) this.#parts.delete(done.key);
  }
}
