/** Notices that a worker no longer answers. Counts silent intervals, not time: a suspended gateway blames nobody. */
import type { Clock, Timer } from "../../ports.ts";

const INTERVAL = 1000;

/**
 * Silent intervals before a worker is given up. In service its loop comes round after every step, and the longest step
 * is one piece of a long prompt: well under a second for the shipped model, some tens of seconds for the largest models
 * that make sense on a CPU when all cores are taken.
 */
const SERVING_LIMIT = 60;

/** While a model is compiled or switched the native code holds the thread; for large models that takes minutes. */
const LOADING_LIMIT = 600;

export interface Heartbeat {
  /** Something came from the worker. */
  heard(): void;
  stop(): void;
}

/** Calls `ping` every second and `lost` once when nothing was heard for too long. */
export function startHeartbeat(options: {
  readonly clock: Clock;
  readonly ping: () => void;
  readonly lost: (seconds: number) => void;
  /** A load, a stage or a commit is under way. */
  readonly loading: () => boolean;
}): Heartbeat {
  let silent = 0;
  let timer: Timer | null = null;
  const tick = (): void => {
    silent += 1;
    if (silent > (options.loading() ? LOADING_LIMIT : SERVING_LIMIT)) {
      timer = null;
      options.lost((silent * INTERVAL) / 1000);
      return;
    }
    options.ping();
    timer = options.clock.timer(INTERVAL, tick);
  };
  timer = options.clock.timer(INTERVAL, tick);
  return {
    heard: () => {
      silent = 0;
    },
    stop: () => timer?.cancel(),
  };
}
