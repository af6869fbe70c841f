/** Waits for "no lease is held", looked at whenever a replica falls idle. */

/** Everyone who waits for leases to end. */
export interface Drains {
  /** Resolves when the condition holds; rejects with the signal's reason. */
  wait(condition: () => boolean, signal: AbortSignal): Promise<void>;
  /** Something may hold now. Costs nothing while nobody waits. */
  check(): void;
}

/** Creates the waiting list. */
export function createDrains(): Drains {
  const waiting = new Set<() => void>();
  return {
    wait: (condition, signal) =>
      new Promise((resolve, reject) => {
        if (condition()) return resolve();
        if (signal.aborted) return reject(signal.reason);
        const leave = (): void => {
          waiting.delete(look);
          signal.removeEventListener("abort", onAbort);
        };
        const look = (): void => {
          if (!condition()) return;
          leave();
          resolve();
        };
        const onAbort = (): void => {
          leave();
          reject(signal.reason);
        };
        waiting.add(look);
        signal.addEventListener("abort", onAbort, { once: true });
      }),
    check() {
      if (waiting.size > 0) for (const look of [...waiting]) look();
    },
  };
}
