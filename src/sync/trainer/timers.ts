/** Named timers with one owner: setting one anew cancels it first, `stop` ends all. */
import type { Clock, Timer } from "../../ports.ts";

export type TimerName = "call" | "grace" | "stage" | "silence";

export interface Timers {
  set(name: TimerName, milliseconds: number, callback: () => void): void;
  cancel(name: TimerName): void;
  isSet(name: TimerName): boolean;
  stop(): void;
}

/** Creates an empty set. */
export function createTimers(clock: Pick<Clock, "timer">): Timers {
  const pending = new Map<TimerName, Timer>();
  const cancel = (name: TimerName): void => {
    pending.get(name)?.cancel();
    pending.delete(name);
  };
  return {
    set(name, milliseconds, callback) {
      cancel(name);
      pending.set(
        name,
        clock.timer(milliseconds, () => {
          pending.delete(name);
          callback();
        }),
      );
    },
    cancel,
    isSet: (name) => pending.has(name),
    stop() {
      for (const name of [...pending.keys()]) cancel(name);
    },
  };
}
