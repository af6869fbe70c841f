/** Bounded waits: a promise raced with a signal, and a signal that fires after a time. Time comes from the caller's clock. */

/** The part of the clock port that is needed; repeated here because `lib` imports nothing of ours. */
interface TimerSource {
  timer(milliseconds: number, callback: () => void): { cancel(): void };
}

/**
 * Settles as `promise` does, or rejects with the signal's reason when that comes first. The promise itself goes on;
 * what it still does is the caller's to clean up. A later rejection of it is not reported as unhandled.
 *
 * @example
 * ```ts
 * import { orAborted } from "./deadline.ts";
 * const never = new Promise(() => {});
 * const outcome = await orAborted(never, AbortSignal.abort(new Error("too late"))).catch((error) => error.message);
 * if (outcome !== "too late") throw new Error("still waiting");
 * ```
 */
export function orAborted<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener("abort", leave);
        resolve(value);
      },
      (error) => {
        signal.removeEventListener("abort", leave);
        reject(error);
      },
    );
  });
}

/** Resolves after `milliseconds`; rejects with the signal's reason when that comes first. */
export function sleep(clock: TimerSource, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const leave = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.timer(milliseconds, () => {
      signal?.removeEventListener("abort", leave);
      resolve();
    });
    signal?.addEventListener("abort", leave, { once: true });
  });
}
