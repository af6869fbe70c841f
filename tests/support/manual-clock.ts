/** A clock that moves when a test says so. Both clocks begin at 0 and move together. */
import type { Clock } from "../../src/ports.ts";

export interface ManualClock extends Clock {
  /** Moves on and runs every timer that falls due, in order, letting promises settle between them. */
  advance(milliseconds: number): Promise<void>;
  /** Timers not yet run or cancelled. */
  readonly pending: number;
}

/** Lets everything that is already resolved run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

export function createManualClock(): ManualClock {
  let now = 0;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => now,
    monotonic: () => now,
    timer(milliseconds, callback) {
      const entry = { at: now + milliseconds, callback };
      timers.add(entry);
      return { cancel: () => void timers.delete(entry) };
    },
    async advance(milliseconds) {
      const end = now + milliseconds;
      await settle();
      for (;;) {
        const [next] = [...timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.callback();
        await settle();
      }
      now = end;
      await settle();
    },
    get pending() {
      return timers.size;
    },
  };
}
