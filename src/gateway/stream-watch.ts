/** Ends streams on which an upstream has fallen silent: one timer looks at all of them. */
import type { Clock } from "../ports.ts";

interface Watched {
  /** Set by every chunk, cleared by every look: cheaper than a time per chunk. */
  alive: boolean;
  lastSeen: number;
  readonly expire: () => void;
}

/** Ends streams on which an upstream has fallen silent. One timer for all of them: a timer per chunk costs more than the chunk. */
export interface StreamWatch {
  add(expire: () => void): { alive: boolean; end(): void };
  readonly active: number;
}

/** Creates the watch; `idleMilliseconds` is the longest silence, checked about ten times in that time. */
export function createStreamWatch(clock: Clock, idleMilliseconds: number): StreamWatch {
  const watched = new Set<Watched>();
  const interval = Math.max(50, idleMilliseconds / 10);
  let ticking = false;
  const tick = (): void => {
    const now = clock.monotonic();
    for (const stream of watched) {
      if (stream.alive) {
        stream.alive = false;
        stream.lastSeen = now;
      } else if (now - stream.lastSeen > idleMilliseconds) {
        watched.delete(stream);
        stream.expire();
      }
    }
    ticking = watched.size > 0;
    if (ticking) clock.timer(interval, tick);
  };
  return {
    get active() {
      return watched.size;
    },
    add(expire) {
      const stream = {
        alive: true,
        lastSeen: clock.monotonic(),
        expire,
        end: (): void => void watched.delete(stream),
      };
      watched.add(stream);
      if (!ticking) {
        ticking = true;
        clock.timer(interval, tick);
      }
      return stream;
    },
  };
}
