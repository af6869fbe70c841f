/**
 * One replica's circuit breaker: after several failures in a row it gets no requests for a while, then one trial.
 * It only counts and tells; that never all replicas are shut out at once is the chooser's and the fleet's care.
 */

/** Failures in a row that open it. Five: a single bad request of a client must not take a replica out. */
const FAILURE_LIMIT = 5;
/** First pause; doubles with every failed trial. A worker restarts in about this time. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;

/** `half-open`: the pause is over, a trial may go. */
export type BreakerState = "closed" | "open" | "half-open";

/** Closed, open for a pause that doubles, half-open for one trial. Time is given, never asked for. */
export class Breaker {
  #failures = 0;
  #opened = 0;
  #retryAt: number | null = null;
  #trial = false;

  /** Requests may go there now. `now` is monotonic milliseconds. */
  admits(now: number): boolean {
    return this.#retryAt === null || (now >= this.#retryAt && !this.#trial);
  }

  state(now: number): BreakerState {
    if (this.#retryAt === null) return "closed";
    return now >= this.#retryAt ? "half-open" : "open";
  }

  /** A request goes there; while not closed it is the trial. */
  onLease(): void {
    if (this.#retryAt !== null) this.#trial = true;
  }

  /** Any success proves life. Returns true when it closed just now. */
  onSuccess(): boolean {
    this.#failures = 0;
    if (this.#retryAt === null) return false;
    this.reset();
    return true;
  }

  /**
   * Counts one failure. `mayOpen` false: it stays closed, because no other replica could take the requests.
   * `jitter` in [0, 1) spreads the trials of several gateways. Returns true when it opened just now.
   */
  onFailure(now: number, mayOpen: boolean, jitter: number): boolean {
    this.#failures += 1;
    const failedTrial = this.#retryAt !== null && this.#trial;
    if (failedTrial && !mayOpen) {
      // The others were shut out meanwhile: a replica that fails now and then is better than none.
      this.reset();
      return false;
    }
    if (this.#retryAt !== null && !failedTrial) return false;
    if (this.#retryAt === null && (this.#failures < FAILURE_LIMIT || !mayOpen)) return false;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#opened);
    this.#retryAt = now + pause * (1 + jitter / 4);
    this.#opened += 1;
    this.#trial = false;
    return true;
  }

  /** A freshly started replica has no past. */
  reset(): void {
    this.#failures = 0;
    this.#opened = 0;
    this.#retryAt = null;
    this.#trial = false;
  }
}
