/** One bound for a wait: a time on the caller's clock and an optional signal, joined to one AbortSignal. */
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../ports.ts";

/** How long a call may take. */
export interface CallOptions {
  /** Milliseconds; every call has a default of its own. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** A bound that is known. */
export interface Bound {
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
  /** The phase of a weight sync that an error names. Default "rendezvous". */
  readonly phase?: string;
}

/**
 * Runs `work` with a signal that aborts after `milliseconds`, or when the caller's signal does. The reason after the time
 * is a GatewayError `deadline_exceeded` that says `what` was waited for.
 */
export async function withDeadline<T>(
  clock: Clock,
  { timeout, signal, phase = "rendezvous" }: Bound,
  what: () => string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const leave = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", leave, { once: true });
  const timer = clock.timer(timeout, () => {
    controller.abort(new GatewayError("deadline_exceeded", `${what()} (waited ${timeout} ms).`, { phase }));
  });
  try {
    return await work(controller.signal);
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", leave);
  }
}
