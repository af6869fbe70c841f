/** How long to wait before a worker is started again, and when to give up. Pure; the caller owns clock and chance. */

/** First wait; doubles with every further death, up to the longest. */
const FIRST_DELAY = 200;
const LONGEST_DELAY = 30_000;
/** A worker that served so long was sound: the next death starts from the first wait again. */
const SOUND_UPTIME = 60_000;
/** Starts that may fail in a row. A start that fails for a passing reason (memory, a file being written) has mended by then. */
const START_FAILURE_LIMIT = 5;

/** Doubling waits with chance in them, and an end after starts that fail in a row. */
export class RestartPolicy {
  #deaths = 0;
  #startFailures = 0;

  /** A worker that had started ended after `uptime` milliseconds. */
  died(uptime: number): void {
    this.#deaths = uptime >= SOUND_UPTIME ? 1 : this.#deaths + 1;
    this.#startFailures = 0;
  }

  /** A start failed. true: give up. */
  startFailed(): boolean {
    this.#deaths += 1;
    this.#startFailures += 1;
    return this.#startFailures >= START_FAILURE_LIMIT;
  }

  /** Milliseconds until the next start; `chance` in [0, 1) spreads replicas that died together over half the time. */
  delay(chance: number): number {
    const full = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.max(0, this.#deaths - 1));
    return full / 2 + (full / 2) * chance;
  }
}
