/**
 * When the batcher steps and what it may be given. One loop; everything that changes models or states happens between
 * two steps, in the same thread. Between steps the event loop runs, so that cancels, pings and requests are read.
 */
import { GatewayError } from "../../errors.ts";
import type { Batcher, BatchOutput, LoadedModel } from "../batch-types.ts";
import type { Call } from "./generations.ts";

export interface SchedulerOptions {
  readonly batcher: Batcher;
  /** Sequences that may be held while requests are not admitted. */
  readonly maxQueue: number;
  /** Tokens of those that wait: once there are as many, no call is taken. Default: no limit. */
  readonly maxQueuedTokens?: number | undefined;
  readonly accept: (outputs: readonly BatchOutput[]) => void;
  /** Refuses a held call that the batcher would not take. */
  readonly refuse: (call: Call, error: unknown) => void;
  /** Sends what is ready, after each step. */
  readonly flush: () => void;
  /** Lets the event loop run once. */
  readonly turn: () => Promise<void>;
  /** Something else needs this thread just now: it gets as long between two steps as a step takes. */
  readonly sharing?: () => boolean;
  /** Milliseconds; default `performance.now`. */
  readonly now?: () => number;
  /** A step threw: the state of the native code is unknown. */
  readonly fail: (error: unknown) => void;
}

/** Steps that `abortAll` may need to say that everything ended: one; more is a broken batcher. */
const ABORT_STEPS = 64;

const toTokens = ({ requests }: Call): number =>
  requests.reduce((sum, { promptIds, samples }) => sum + promptIds.length * samples, 0);

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #batcher: Batcher;
  readonly #now: () => number;
  /** Reasons not to admit requests. */
  readonly #holds = new Set<string>();
  #held: Call[] = [];
  #heldSequences = 0;
  #frozen = false;
  #stopped = false;
  #wake: (() => void) | null = null;
  #idleWaiters: (() => void)[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#batcher = options.batcher;
    this.#now = options.now ?? (() => performance.now());
    this.#run().catch((error: unknown) => this.#options.fail(error));
  }

  get running(): number {
    return this.#batcher.running;
  }

  get waiting(): number {
    return this.#batcher.waiting + this.#heldSequences;
  }

  get preemptions(): number {
    return this.#batcher.preemptions ?? 0;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Gives a call to the batcher, or holds it while there is a reason to. Throws `too_many_requests`. */
  submit(call: Call): void {
    this.#refuseTokens();
    if (this.#holds.size > 0) {
      if (this.#heldSequences + call.open > this.#options.maxQueue) {
        throw new GatewayError("too_many_requests", `${this.#heldSequences} sequences wait already; try again later.`, {
          retryAfter: 1,
        });
      }
      this.#held.push(call);
      this.#heldSequences += call.open;
      return;
    }
    this.#admit(call);
  }

  #refuseTokens(): void {
    const limit = this.#options.maxQueuedTokens;
    if (limit === undefined) return;
    const held = this.#held.reduce((sum, call) => sum + toTokens(call), 0);
    const tokens = held + (this.#batcher.waitingTokens ?? 0);
    if (tokens < limit) return;
    throw new GatewayError(
      "too_many_requests",
      `Sequences of ${tokens} tokens wait already; with ${limit} or more no others are taken (--max-queued-tokens).`,
      { retryAfter: 1 },
    );
  }

  cancel(call: Call): void {
    const at = this.#held.indexOf(call);
    if (at >= 0) {
      this.#held.splice(at, 1);
      this.#heldSequences -= call.open;
    } else for (const { key } of call.requests) this.#batcher.cancel(key);
    this.#settle();
  }

  /** One sample ended by a stop string. */
  release(key: number, sample: number): void {
    this.#batcher.cancel(key, sample);
  }

  /** New requests wait until every hold is gone. */
  hold(reason: string): void {
    this.#holds.add(reason);
  }

  unhold(reason: string): void {
    if (!this.#holds.delete(reason) || this.#holds.size > 0) return;
    const held = this.#held;
    this.#held = [];
    this.#heldSequences = 0;
    for (const call of held) {
      try {
        this.#admit(call);
      } catch (error) {
        this.#options.refuse(call, error);
      }
    }
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    if (!frozen) this.#signal();
  }

  /** Ends all that was admitted with reason "abort". What is held stays. */
  abortRunning(): void {
    this.#batcher.abortAll();
    for (let step = 0; step < ABORT_STEPS; step += 1) {
      this.#options.accept(this.#batcher.step());
      if (this.#batcher.running + this.#batcher.waiting === 0) break;
    }
    this.#options.flush();
    this.#settle();
  }

  /** Resolves when nothing that was admitted runs any more; rejects with the signal's reason. */
  async whenIdle(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#batcher.idle) return;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#idleWaiters = this.#idleWaiters.filter((waiter) => waiter !== done);
        reject(signal.reason);
      };
      const done = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#idleWaiters.push(done);
    });
  }

  /** Drops reusable prefixes. */
  resetPrefixCache(): void {
    this.#batcher.resetPrefixCache();
  }

  /** Gives the memory of the KV cache back; what was admitted is recomputed when steps go on. */
  releaseCache(): void {
    this.#batcher.releaseCache();
  }

  /** The next step uses this model. Returns the old one, which the caller releases. */
  replaceModel(model: LoadedModel): LoadedModel {
    return this.#batcher.replaceModel(model);
  }

  /** The next step uses this model, whose weights are the old one's. Returns the old one, which the caller releases. */
  swapModel(model: LoadedModel): LoadedModel {
    return this.#batcher.swapModel(model);
  }

  stop(): void {
    this.#stopped = true;
    this.#signal();
  }

  #admit(call: Call): void {
    const taken: number[] = [];
    try {
      for (const request of call.requests) {
        this.#batcher.submit(request);
        taken.push(request.key);
      }
    } catch (error) {
      for (const key of taken) this.#batcher.cancel(key);
      throw error;
    }
    this.#signal();
  }

  #signal(): void {
    this.#wake?.();
    this.#wake = null;
  }

  /** Wakes those who wait for idleness. */
  #settle(): void {
    if (!this.#batcher.idle) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.#frozen || this.#batcher.idle) {
        this.#settle();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const start = this.#now();
      this.#options.accept(this.#batcher.step());
      this.#options.flush();
      await this.#turns(this.#now() - start);
    }
  }

  /**
   * One turn of the event loop; several while something shares the thread. Reading weights is a chain of hundreds of
   * reads, each of which ends in a turn: with one turn a step, loading under full batches took as many steps.
   */
  async #turns(milliseconds: number): Promise<void> {
    const end = this.#now() + milliseconds;
    do await this.#options.turn();
    while (this.#options.sharing?.() === true && this.#now() < end && !this.#stopped);
  }
}
