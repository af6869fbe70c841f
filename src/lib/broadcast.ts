/** One writer, many readers, each with its own bounded queue. A slow reader loses progress first, never the writer's time. */

export interface Broadcast<T> {
  /** `replaceable` values (progress) are superseded by the next one while a reader has not taken them. */
  publish(value: T, replaceable?: boolean): void;
  /** Readers end after what they still have queued. Later subscribers end at once. */
  close(): void;
  /** Values published from now on; ends on `close` or when the signal aborts. `first` is given before all others. */
  subscribe(signal: AbortSignal, first?: T): AsyncIterable<T>;
  readonly readers: number;
}

/** Values that one reader may have waiting; beyond it the oldest is dropped. */
const QUEUE_LIMIT = 1024;

interface Reader<T> {
  readonly queue: { value: T; replaceable: boolean }[];
  wake: () => void;
}

/**
 * Creates a broadcast without readers.
 *
 * @example
 * ```ts
 * import { createBroadcast } from "./broadcast.ts";
 * const numbers = createBroadcast<number>();
 * const seen = Array.fromAsync(numbers.subscribe(new AbortController().signal, 0));
 * numbers.publish(1, true);
 * numbers.publish(2);
 * numbers.close();
 * if (String(await seen) !== "0,2") throw new Error("a replaceable value was not superseded");
 * ```
 */
export function createBroadcast<T>(): Broadcast<T> {
  const readers = new Set<Reader<T>>();
  let closed = false;

  async function* read(reader: Reader<T>, signal: AbortSignal): AsyncIterable<T> {
    const leave = (): void => reader.wake();
    signal.addEventListener("abort", leave);
    try {
      while (!signal.aborted) {
        const next = reader.queue.shift();
        if (next !== undefined) {
          yield next.value;
          continue;
        }
        if (closed) return;
        await new Promise<void>((resolve) => {
          reader.wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener("abort", leave);
      readers.delete(reader);
    }
  }

  return {
    get readers() {
      return readers.size;
    },
    publish(value, replaceable = false) {
      for (const { queue, wake } of readers) {
        if (queue.at(-1)?.replaceable === true) queue.pop();
        queue.push({ value, replaceable });
        if (queue.length > QUEUE_LIMIT) queue.shift();
        wake();
      }
    },
    close() {
      closed = true;
      for (const { wake } of readers) wake();
    },
    subscribe(signal, ...first) {
      const reader: Reader<T> = { queue: [], wake: () => undefined };
      for (const value of first) if (value !== undefined) reader.queue.push({ value, replaceable: false });
      // From this moment on, not from the first pull: nothing published in between is missed.
      if (!closed && !signal.aborted) {
        readers.add(reader);
        signal.addEventListener("abort", () => readers.delete(reader), { once: true });
      }
      return read(reader, signal);
    },
  };
}
