/** The deadline of one call: what the caller may ask for, and the one AbortController that ends the call. */
import { GatewayError, invalidValue } from "../../errors.ts";
import type { Clock, Timer } from "../../ports.ts";
import { onClientLeft } from "../disconnect.ts";

/** Longest time a caller may ask for: a day, as in the configuration. Also keeps timers below 2^31 ms. */
const LONGEST_SECONDS = 86_400;

const SECONDS = /^\d{1,5}(?:\.\d{1,6})?$/;

/** Seconds out of `x-request-timeout`; `fallback` without the header. Throws `invalid_value`. */
export function parseRequestTimeout(header: string | null, fallback: number): number {
  if (header === null) return fallback;
  const seconds = SECONDS.test(header) ? Number(header) : 0;
  if (seconds <= 0 || seconds > LONGEST_SECONDS) {
    throw invalidValue("x-request-timeout", header, `a number of seconds above 0 and up to ${LONGEST_SECONDS}`);
  }
  return seconds;
}

/** Keeps a streaming call's controller alive exactly as long as somebody holds its signal. */
const owners = new WeakMap<AbortSignal, AbortController>();

/** One call's end: aborts its signal when the client leaves or the deadline passes, whichever is first. */
export class CallDeadline {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #seconds: number;
  readonly #startedAt: number;
  #timer: Timer;
  /** Set by `settle`; an abort afterwards would reach nobody. */
  complete = false;
  /** True when the client went away before its answer was complete. */
  left = false;

  constructor(request: Request, seconds: number, clock: Clock) {
    this.#clock = clock;
    this.#seconds = seconds;
    this.#startedAt = clock.monotonic();
    this.#timer = clock.timer(seconds * 1000, () => this.#controller.abort(deadlineExceeded(seconds)));
    onClientLeft(request, this, () => {
      this.left = true;
      this.#timer.cancel();
      this.#controller.abort(new GatewayError("client_closed", "The client closed the connection."));
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Seconds since the call came in. */
  elapsed(): number {
    return (this.#clock.monotonic() - this.#startedAt) / 1000;
  }

  /**
   * The handler has answered. A complete answer ends the deadline. A streamed one keeps it, but the timer then holds
   * the call weakly: nobody tells us when a body that is passed through untouched has ended, and a finished stream
   * must not stay in memory until its deadline.
   */
  settle(streams: boolean): void {
    this.#timer.cancel();
    if (!streams) {
      this.complete = true;
      return;
    }
    const controller = this.#controller;
    const seconds = this.#seconds;
    if (controller.signal.aborted) return;
    owners.set(controller.signal, controller);
    const weak = new WeakRef(controller);
    this.#timer = this.#clock.timer(Math.max(0, (seconds - this.elapsed()) * 1000), () =>
      weak.deref()?.abort(deadlineExceeded(seconds)),
    );
  }
}

const deadlineExceeded = (seconds: number): GatewayError =>
  new GatewayError(
    "deadline_exceeded",
    `The call did not end within its deadline of ${seconds} s (x-request-timeout).`,
  );
