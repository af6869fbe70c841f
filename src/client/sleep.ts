/** A wait of the client library, which runs where no clock port is: the one of `lib` over the runtime's own timer. */
import { sleep as sleepBy } from "../lib/deadline.ts";

const timers = {
  timer(milliseconds: number, callback: () => void): { cancel(): void } {
    const timer = setTimeout(callback, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves after `milliseconds`; rejects with the signal's reason as soon as it aborts. */
export const sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  sleepBy(timers, milliseconds, signal);
