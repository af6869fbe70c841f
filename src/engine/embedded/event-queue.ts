/**
 * The events of one `generate` call between the pipe and whoever reads them. The queue is never longer than the credit
 * given to the worker, and the credit grows only as events are taken: a slow reader slows its own call, no other.
 */
import type { GenerateEvent } from "../../contract/generation.ts";

/** Events on their way at most. Enough that a quick reader never waits for credit. */
export const INITIAL_CREDIT = 128;
/** Credit is given back in portions, not event by event. */
const CREDIT_PORTION = 32;

export interface EventQueueOptions {
  /** The reader took so many events. */
  readonly onCredit: (events: number) => void;
  /** The reader left before the end, or the signal aborted. Called at most once. */
  readonly onCancel: () => void;
  readonly signal: AbortSignal;
}

/** One reader; ends after the `end` event, with the error of `fail`, or with the signal's reason. */
export class EventQueue implements AsyncIterator<GenerateEvent, undefined> {
  readonly #options: EventQueueOptions;
  #events: GenerateEvent[] = [];
  #taken = 0;
  /** The worker sends nothing more. */
  #closed = false;
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;

  constructor(options: EventQueueOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** What the worker sent. Nothing is kept after the end. */
  push(events: readonly GenerateEvent[]): void {
    if (this.#closed) return;
    for (const event of events) this.#events.push(event);
    if (events.at(-1)?.type === "end") this.#closed = true;
    this.#signalReader();
  }

  /** The call ended with an error; what came before it is still read. */
  fail(error: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure = { error };
    this.#signalReader();
  }

  async next(): Promise<IteratorResult<GenerateEvent, undefined>> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        this.#taken += 1;
        if (this.#taken >= CREDIT_PORTION && !this.#closed) {
          this.#options.onCredit(this.#taken);
          this.#taken = 0;
        }
        return { done: false, value: event };
      }
      if (this.#closed) {
        this.#options.signal.removeEventListener("abort", this.#onAbort);
        const failure = this.#failure;
        this.#failure = null;
        if (failure !== null) throw failure.error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<GenerateEvent, undefined>> {
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#leave(null);
    return Promise.resolve({ done: true, value: undefined });
  }

  readonly #onAbort = (): void => this.#leave({ error: this.#options.signal.reason });

  /** Nobody wants the rest: what is queued goes, and the worker is told unless it has ended already. */
  #leave(failure: { readonly error: unknown } | null): void {
    this.#events = [];
    this.#failure = failure;
    if (!this.#closed) {
      this.#closed = true;
      this.#options.onCancel();
    }
    this.#signalReader();
  }

  #signalReader(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
