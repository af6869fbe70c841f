/** One source of change, any number of slow or fast readers: each reader gets the newest state of each thing, never a backlog. */

/** A reader sees the latest value per key; values that it was too slow for are replaced, so memory stays bounded. */
export interface EventHub<T> {
  publish(key: string, value: T): void;
  /** `first` comes before anything published later. Ends when the signal aborts. */
  read(signal: AbortSignal, first: readonly T[]): AsyncGenerator<T>;
}

/** Creates a hub. */
export function createEventHub<T>(): EventHub<T> {
  const readers = new Set<(key: string, value: T) => void>();
  return {
    publish(key, value) {
      for (const reader of readers) reader(key, value);
    },
    async *read(signal, first) {
      const pending = new Map<string, T>();
      let wake: (() => void) | undefined;
      const reader = (key: string, value: T): void => {
        pending.delete(key);
        pending.set(key, value);
        wake?.();
      };
      const onAbort = (): void => wake?.();
      readers.add(reader);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        yield* first;
        while (!signal.aborted) {
          const next = pending.entries().next();
          if (next.done === true) {
            await new Promise<void>((resolve) => {
              wake = resolve;
              if (pending.size > 0 || signal.aborted) resolve();
            });
            wake = undefined;
            continue;
          }
          pending.delete(next.value[0]);
          yield next.value[1];
        }
      } finally {
        readers.delete(reader);
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
