/**
 * Keeps the memory of a gateway with embedded replicas at one level under load. The answers of those are made of many small
 * objects here; those of servers upstream go through as bytes, and a gateway with nothing else is left alone.
 */
import { createCollectByUse } from "../lib/collect-by-use.ts";
import type { Ports, Timer } from "../ports.ts";

/** CPU seconds between two collections, at least: one takes about 30 ms of them, on two threads (docs/performance.md). */
const EVERY = 0.3;
/** What is under way at each small collection becomes old garbage later, so it grows with time as well as with work. */
const LOOK_MILLISECONDS = 3000;

/** Starts looking every three seconds; the returned function ends it. Does nothing where the runtime's collector cannot be asked. */
export function startTidy({ clock, usage, collect }: Pick<Ports, "clock" | "usage" | "collect">): () => void {
  if (usage === undefined || collect === undefined) return () => {};
  const look = createCollectByUse({ cpuSeconds: () => usage().cpuSeconds, collect, every: EVERY });
  let timer: Timer;
  const again = (): void => {
    timer = clock.timer(LOOK_MILLISECONDS, () => {
      look();
      again();
    });
  };
  again();
  return () => timer.cancel();
}
