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
  readonly #events: GenerateEvent[] = [];
  #taken = 0;
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
    this.#events.push(...events);
    if (events.at(-1)?.type === "end") this.#close();
    this.#signalReader();
  }

  /** The call ended with an error; what came before it is still read. */
  fail(error: unknown): void {
    if (this.#closed) return;
    this.#failure = { error };
    this.#close();
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
      if (this.#failure !== null) {
        const { error } = this.#failure;
        this.#failure = null;
        throw error;
      }
      if (this.#closed) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<GenerateEvent, undefined>> {
    this.#events.length = 0;
    this.#failure = null;
    if (!this.#closed) {
      this.#close();
      this.#options.onCancel();
    }
    this.#signalReader();
    return Promise.resolve({ done: true, value: undefined });
  }

  readonly #onAbort = (): void => {
    if (this.#closed) return;
    // Nobody wants the rest: what is queued goes, and the reader learns why at once.
    this.#events.length = 0;
    this.fail(this.#options.signal.reason);
    this.#options.onCancel();
  };

  #close(): void {
    this.#closed = true;
    this.#options.signal.removeEventListener("abort", this.#onAbort);
  }

  #signalReader(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
