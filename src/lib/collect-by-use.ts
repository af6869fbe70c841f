/**
 * When to collect all garbage of a process that serves without a pause. A collector that is left alone lets garbage grow to
 * tens of megabytes before it looks through the whole heap, and memory that was touched once is given back late: how much a
 * process takes then follows the load of the moment. Decides only; knows no runtime.
 */

/** What a pace needs of the process. */
export interface CollectOptions {
  /** User and system CPU seconds of the process so far. */
  readonly cpuSeconds: () => number;
  /** Collects everything; blocks. */
  readonly collect: () => void;
  /** CPU seconds from one collection to the next: an idle process is left alone, and the cost is a fixed share of the work. */
  readonly every: number;
}

/**
 * Gives the function to call once in a while; it says whether it collected.
 *
 * @example
 * ```ts
 * import { createCollectByUse } from "./collect-by-use.ts";
 * let cpu = 0;
 * let collected = 0;
 * const look = createCollectByUse({ cpuSeconds: () => cpu, collect: () => void (collected += 1), every: 2 });
 * if (look()) throw new Error("nothing was done yet");
 * cpu = 2.5;
 * if (!look() || look() || collected !== 1) throw new Error("once for the work done");
 * ```
 */
export function createCollectByUse({ cpuSeconds, collect, every }: CollectOptions): () => boolean {
  let last = cpuSeconds();
  return () => {
    if (cpuSeconds() - last < every) return false;
    collect();
    // After it: a collection is no work that asks for another.
    last = cpuSeconds();
    return true;
  };
}
