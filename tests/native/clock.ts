/** The clock and randomness of test programs: the machine's own. */
import { setTimeout } from "node:timers";
import type { Clock, Random } from "../../src/ports.ts";

/** Real time. */
export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Real randomness. */
export const random: Random = { uuid: () => crypto.randomUUID(), float: () => Math.random() };
