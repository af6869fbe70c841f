/**
 * Continuous batching: sequences join and leave between steps. Running ones occupy cache slots 0 … n − 1 without gaps,
 * so that one call decodes them all; the one whose prompt is being read has slot n. Reading prompts and decoding take
 * turns, first come first served. Where the cache has no room for all, who came last waits again and is recomputed.
 * Knows token ids only.
 */

import type { PoolingType } from "../contract/generation.ts";
import { GatewayError } from "../errors.ts";
import { type BatcherOptions, checkPrompt } from "./batch-input.ts";
import type { Batcher, BatchOutput, BatchRequest, LoadedModel } from "./batch-types.ts";
import { CacheRoom, shareCache } from "./cache-room.ts";
import { availableKvBytes } from "./kv-budget.ts";
import { KvCache, slotBytes } from "./kv-cache.ts";
import { type DecoderModel, toDecoderModel } from "./load-model.ts";
import { toRawLogprobs } from "./logprobs.ts";
import { Pool } from "./pooling.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { hasProcessors } from "./processors.ts";
import { sampleToken } from "./sampler.ts";
import { createGroup, type FinishOutput, Sequence, type SequenceGroup } from "./sequence.ts";

/** Floats of logits that a call for prompt log probabilities may make: 16 MiB. */
const PROMPT_LOGITS_LIMIT = 4 * 2 ** 20;

class ContinuousBatcher implements Batcher {
  #model: DecoderModel;
  readonly #cache: KvCache;
  readonly #prefixes: PrefixCache;
  readonly #slots: number;
  readonly #room: CacheRoom;
  readonly #maxQueue: number;
  readonly #groups = new Map<number, SequenceGroup>();
  #waiting: Sequence[] = [];
  /** Row r of the batch is slot r of the cache. */
  #rows: Sequence[] = [];
  /** In slot `#rows.length`. */
  #prefilling: Sequence | null = null;
  #pending: BatchOutput[] = [];
  #arrivals = 0;
  #preemptions = 0;
  #prefilledLast = false;

  constructor(model: LoadedModel, options: BatcherOptions) {
    this.#model = toDecoderModel(model);
    this.#slots = options.maxConcurrency;
    this.#maxQueue = options.maxQueue;
    const { config } = this.#model;
    const budgetBytes = options.kvCacheBytes ?? model.kvBytes ?? availableKvBytes();
    this.#cache = new KvCache(config, { positions: model.maxModelLen, slots: options.maxConcurrency, budgetBytes });
    const { prefixBytes, tokens } = shareCache(budgetBytes, slotBytes(config, model.maxModelLen), {
      ...{ positions: model.maxModelLen, slots: options.maxConcurrency, wished: options.prefixCacheBytes },
    });
    this.#room = new CacheRoom(tokens);
    this.#prefixes = new PrefixCache(this.#cache, prefixBytes);
  }

  get running(): number {
    return this.#rows.length + (this.#prefilling === null ? 0 : 1);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get waitingTokens(): number {
    return this.#waiting.reduce((sum, { tokens }) => sum + tokens.length, 0);
  }

  get cacheTokens(): number {
    return this.#room.capacity;
  }

  get preemptions(): number {
    return this.#preemptions;
  }

  get idle(): boolean {
    return this.running === 0 && this.waiting === 0 && this.#pending.length === 0;
  }

  submit(request: BatchRequest): void {
    if (this.#groups.has(request.key)) throw new Error(`Request ${request.key} is already in the batch.`);
    checkPrompt(request, this.#model);
    const queued = this.#waiting.length - (this.#slots - this.running);
    if (queued >= this.#maxQueue) {
      throw new GatewayError(
        "too_many_requests",
        `${this.#slots} sequences run and ${this.#waiting.length} wait; at most ${this.#maxQueue} may wait.`,
        { retryAfter: 1 },
      );
    }
    const group = createGroup(request);
    this.#groups.set(request.key, group);
    for (let sample = 0; sample < request.samples; sample++) {
      this.#waiting.push(new Sequence(group, sample, this.#arrivals++));
    }
  }

  cancel(key: number, sample?: number): void {
    const hit = (sequence: Sequence) =>
      sequence.group.request.key === key && (sample === undefined || sequence.sample === sample);
    for (const sequence of this.#waiting) if (hit(sequence)) this.#forget(sequence);
    this.#waiting = this.#waiting.filter((sequence) => !hit(sequence));
    if (this.#prefilling !== null && hit(this.#prefilling)) {
      this.#forget(this.#prefilling);
      this.#prefilling = null;
    }
    for (let row = this.#rows.length - 1; row >= 0; row--) if (hit(this.#rows[row]!)) this.#removeRow(row);
  }

  abortAll(): void {
    const all = [...this.#rows, ...(this.#prefilling === null ? [] : [this.#prefilling]), ...this.#waiting];
    for (const sequence of all) this.#pending.push(sequence.toFinish("abort"));
    this.#rows = [];
    this.#prefilling = null;
    this.#waiting = [];
    this.#groups.clear();
  }

  step(): readonly BatchOutput[] {
    const outputs = this.#pending;
    this.#pending = [];
    if (outputs.length > 0) return outputs;
    const canPrefill = this.#prefilling !== null || this.#canAdmit();
    if (canPrefill && (this.#rows.length === 0 || !this.#prefilledLast)) {
      this.#prefilledLast = true;
      this.#prefillTurn(outputs);
    } else if (this.#rows.length > 0) {
      this.#prefilledLast = false;
      this.#decodeTurn(outputs);
    }
    return outputs;
  }

  resetPrefixCache(): void {
    this.#prefixes.drop();
  }

  releaseCache(): void {
    this.#preempt();
    this.#prefixes.drop();
    this.#cache.release();
  }

  replaceModel(model: LoadedModel): LoadedModel {
    const old = this.swapModel(model);
    this.#preempt();
    this.#prefixes.drop();
    return old;
  }

  swapModel(model: LoadedModel): LoadedModel {
    const next = toDecoderModel(model);
    const shapeOf = ({ config, maxModelLen }: DecoderModel) => JSON.stringify([config, maxModelLen]);
    if (shapeOf(next) !== shapeOf(this.#model)) {
      throw new GatewayError("conflict", "The new model has another configuration than the one that runs.");
    }
    const old = this.#model;
    this.#model = next;
    return old;
  }

  /** Tokens in the cache after the next step, by slot. */
  #lengths(): number[] {
    const lengths = this.#rows.map(({ cached }) => cached + 1);
    if (this.#prefilling !== null) lengths.push(this.#prefilling.tokens.length);
    return lengths;
  }

  /** The first that waits finds a slot and room. Nobody overtakes it: a long one would wait for ever. */
  #canAdmit(): boolean {
    const [next] = this.#waiting;
    if (next === undefined || this.#rows.length >= this.#slots) return false;
    return this.#room.admits(this.#lengths(), next.tokens.length);
  }

  /**
   * Before a step that makes every row longer: those that came last wait again until the rest fits. The first to arrive
   * is never among them, so that somebody always ends.
   */
  #makeRoom(): void {
    for (let lengths = this.#lengths(); !this.#room.holds(lengths); lengths = this.#lengths()) {
      const last = this.#rows.reduce((latest, row) => (row.arrival > latest.arrival ? row : latest));
      const sequence = this.#prefilling !== null && this.#prefilling.arrival > last.arrival ? this.#prefilling : last;
      if (sequence === this.#prefilling) this.#prefilling = null;
      else this.#vacate(this.#rows.indexOf(sequence));
      sequence.cached = 0;
      this.#preemptions++;
      const at = this.#waiting.findIndex(({ arrival }) => arrival > sequence.arrival);
      this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, sequence);
    }
    this.#cache.keepWithin(this.#room.capacity, this.#lengths());
  }

  /** What runs waits again, in its old place, and is recomputed from its tokens so far. */
  #preempt(): void {
    const preempted = [...this.#rows, ...(this.#prefilling === null ? [] : [this.#prefilling])];
    for (const sequence of preempted) sequence.cached = 0;
    for (const group of this.#groups.values()) group.promptLogits = null;
    this.#waiting = [...preempted, ...this.#waiting].sort((a, b) => a.arrival - b.arrival);
    this.#rows = [];
    this.#prefilling = null;
  }

  /** Reads prompts until about one chunk of tokens is done. */
  #prefillTurn(outputs: BatchOutput[]): void {
    for (let done = 0; done < this.#model.decoder.piece; ) {
      const sequence = this.#prefilling ?? this.#admit(outputs);
      if (sequence === null) return;
      // Whole chunks of the sequence's own, whatever else is in the batch: the same prompt gives the same numbers.
      done += this.#prefillChunk(sequence, outputs);
    }
  }

  /** Gives the next waiting sequence the slot after the running ones; null when there is none, or no slot. */
  #admit(outputs: BatchOutput[]): Sequence | null {
    while (this.#canAdmit()) {
      const sequence = this.#waiting.shift()!;
      const slot = this.#rows.length;
      this.#cache.reserve(
        slot + 1,
        this.#rows.map(({ cached }) => cached),
      );
      this.#cache.keepWithin(this.#room.capacity, [...this.#lengths(), sequence.tokens.length]);
      const { group } = sequence;
      const length = sequence.promptIds.length;
      const donor = this.#rows.findIndex((other) => other.group === group && other.cached >= length);
      if (donor < 0) {
        sequence.cached = this.#reuse(sequence, slot);
      } else {
        // The last prompt token runs again when its logits are needed and gone.
        const shared = sequence.outputIds.length > 0 || group.promptLogits !== null ? length : length - 1;
        this.#cache.copy(donor, slot, shared);
        sequence.cached = shared;
        if (shared === sequence.tokens.length) {
          this.#rows.push(sequence);
          // The row is changed by sampling: each sample draws from a copy.
          this.#accept(sequence, group.promptLogits!.slice(), outputs);
          continue;
        }
      }
      this.#prefilling = sequence;
      return sequence;
    }
    return null;
  }

  /** Fills the slot with what the prefix cache knows of the sequence; returns how many tokens. */
  #reuse(sequence: Sequence, slot: number): number {
    const { group, tokens } = sequence;
    // Log probabilities and the mean of the prompt need every position to be run, and the next token needs the last one.
    const whole = group.request.sampling.promptLogprobs >= 0 || group.request.pooling === "mean";
    const limit = group.reported || !whole ? tokens.length - 1 : 0;
    const cached = this.#prefixes.restore(tokens, limit, slot, group.request.cacheSalt);
    if (!group.reported) group.cachedTokens = cached;
    return cached;
  }

  /** Runs one chunk of a prompt; returns its length. */
  #prefillChunk(sequence: Sequence, outputs: BatchOutput[]): number {
    const { group, tokens } = sequence;
    if (group.request.pooling !== undefined) return this.#poolChunk(sequence, group.request.pooling, outputs);
    const { vocabSize, decoder } = this.#model;
    const wantsPrompt = !group.reported && group.request.sampling.promptLogprobs >= 0;
    const limit = wantsPrompt
      ? Math.max(1, Math.min(decoder.piece, Math.floor(PROMPT_LOGITS_LIMIT / vocabSize)))
      : decoder.piece;
    const from = sequence.cached;
    const to = Math.min(tokens.length, from + limit);
    const complete = to === tokens.length;
    const wanted = wantsPrompt ? "all" : complete ? "last" : "none";
    const logits = decoder.prefill(this.#cache, this.#rows.length, tokens, from, to, wanted);
    if (wantsPrompt) this.#collectPromptLogprobs(group, logits, from, to);
    sequence.cached = to;
    if (!complete) return to - from;
    const start = wantsPrompt ? (to - from - 1) * vocabSize : 0;
    const last = logits.subarray(start, start + vocabSize);
    this.#prefilling = null;
    this.#rows.push(sequence);
    this.#prefixes.save(tokens, to, this.#rows.length - 1, group.request.cacheSalt);
    if (!group.reported) {
      group.reported = true;
      const logprobs = wantsPrompt ? group.promptLogprobs : null;
      outputs.push({ type: "prompt", key: group.request.key, cachedTokens: group.cachedTokens, logprobs });
      group.promptLogprobs = [];
    }
    if (sequence.outputIds.length === 0 && this.#waiting[0]?.group === group) group.promptLogits = last.slice();
    this.#accept(sequence, last, outputs);
    return to - from;
  }

  /** Runs one chunk of a prompt that is embedded, and ends it with the last one; returns the chunk's length. */
  #poolChunk(sequence: Sequence, pooling: PoolingType, outputs: BatchOutput[]): number {
    const { group, tokens } = sequence;
    const { config, decoder } = this.#model;
    const { key } = group.request;
    const slot = this.#rows.length;
    const from = sequence.cached;
    const to = Math.min(tokens.length, from + this.#model.decoder.piece);
    if (pooling === "mean" || to === tokens.length) {
      group.pool ??= new Pool(pooling, config.hiddenSize);
      group.pool.add(decoder.embed(this.#cache, slot, tokens, from, to), from);
    } else decoder.prefill(this.#cache, slot, tokens, from, to, "none");
    sequence.cached = to;
    if (group.pool === null || to < tokens.length) return to - from;
    this.#prefilling = null;
    this.#prefixes.save(tokens, to, slot, group.request.cacheSalt);
    outputs.push({ type: "prompt", key, cachedTokens: group.cachedTokens, logprobs: null });
    outputs.push({ type: "embedding", key, values: group.pool.values() });
    outputs.push(sequence.toFinish("stop"));
    this.#forget(sequence);
    return to - from;
  }

  #collectPromptLogprobs(group: SequenceGroup, logits: Float32Array, from: number, to: number): void {
    const { promptIds, sampling } = group.request;
    const { vocabSize } = this.#model;
    if (from === 0) group.promptLogprobs = [null];
    for (let position = from; position < Math.min(to, promptIds.length - 1); position++) {
      const row = logits.subarray((position - from) * vocabSize, (position - from + 1) * vocabSize);
      group.promptLogprobs.push(toRawLogprobs(row, promptIds[position + 1]!, sampling.promptLogprobs));
    }
  }

  #decodeTurn(outputs: BatchOutput[]): void {
    this.#makeRoom();
    // Only the prompt that is being read came early enough to stay.
    if (this.#rows.length === 0) return;
    const rows = [...this.#rows];
    const { vocabSize, decoder } = this.#model;
    const logits = decoder.decode(
      this.#cache,
      rows.length,
      (row) => rows[row]!.tokens.at(-1)!,
      (row) => rows[row]!.cached,
    );
    // All at once, before any row ends and others move into its place with what they have cached.
    for (const sequence of rows) sequence.cached++;
    for (const [row, sequence] of rows.entries()) {
      this.#accept(sequence, logits.subarray(row * vocabSize, (row + 1) * vocabSize), outputs);
    }
  }

  /** Draws the next token of a running sequence and ends it where that is the last. */
  #accept(sequence: Sequence, logits: Float32Array, outputs: BatchOutput[]): void {
    const finish = this.#draw(sequence, logits, outputs);
    if (finish === null) return;
    outputs.push(finish);
    this.#removeRow(this.#rows.indexOf(sequence));
  }

  #draw(sequence: Sequence, logits: Float32Array, outputs: BatchOutput[]): FinishOutput | null {
    const { request } = sequence.group;
    if (request.sampling.maxTokens === 0) return sequence.toFinish("length");
    if (sequence.constraint !== null && !sequence.mask(logits)) return sequence.toFinish("abort");
    const sampled = sampleToken(logits, request.sampling, sequence, sequence.sample);
    // Every token masked is the request's doing; without masks the weights overflow.
    if (sampled === null) return sequence.finishMasked(hasProcessors(request.sampling));
    sequence.push(sampled.tokenId);
    outputs.push({ type: "token", key: request.key, sample: sequence.sample, ...sampled });
    return sequence.finishAfterToken(this.#model.maxModelLen);
  }

  #forget(sequence: Sequence): void {
    const { group } = sequence;
    group.live--;
    if (group.live === 0) this.#groups.delete(group.request.key);
  }

  #removeRow(row: number): void {
    this.#forget(this.#rows[row]!);
    this.#vacate(row);
  }

  /** Frees a row, whose prefix is kept; the last one moves into the gap, and the prompt being read moves down. */
  #vacate(row: number): void {
    const sequence = this.#rows[row]!;
    this.#prefixes.save(sequence.tokens, sequence.cached, row, sequence.group.request.cacheSalt);
    const last = this.#rows.length - 1;
    if (row !== last) {
      this.#cache.copy(last, row, this.#rows[last]!.cached);
      this.#rows[row] = this.#rows[last]!;
    }
    this.#rows.pop();
    if (this.#prefilling !== null) this.#cache.copy(last + 1, last, this.#prefilling.cached);
  }
}

/**
 * A batcher over one model.
 *
 * @throws GatewayError `limit_exceeded` when the KV cache of one sequence does not fit its budget
 */
export function createBatcher(model: LoadedModel, options: BatcherOptions): Batcher {
  return new ContinuousBatcher(model, options);
}
