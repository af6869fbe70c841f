/**
 * The deadline of each call, and its client's leaving: one AbortController per call, and one timer for all calls. Most
 * calls of a proxy end within a tick; a timer and a listener for each of them would cost more than the rest of the
 * middleware. Where the runtime allows it, the client is therefore listened to only from the first tick on.
 */
import { GatewayError, invalidValue } from "../../errors.ts";
import type { Clock } from "../../ports.ts";
import { onClientLeft } from "../disconnect.ts";

/** Longest time a caller may ask for: a day, as in the configuration. */
const LONGEST_SECONDS = 86_400;

const SECONDS = /^\d{1,5}(?:\.\d{1,6})?$/;

/** How often deadlines are looked at, milliseconds: a tenth of the second within which a left call must end upstream. */
const TICK_MILLISECONDS = 100;

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
  readonly #watch: CallWatch;
  readonly #seconds: number;
  readonly #startedAt: number;
  #request: Request | undefined;
  /** Where the watch keeps it; -1 when it does not. The watch's own. */
  slot = -1;
  /** Set by `settle`; an abort afterwards would reach nobody. */
  complete = false;
  /** True when the client went away before its answer was complete. */
  left = false;

  constructor(watch: CallWatch, request: Request, seconds: number, startedAt: number) {
    this.#watch = watch;
    this.#request = request;
    this.#seconds = seconds;
    this.#startedAt = startedAt;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Seconds since the call came in. */
  elapsed(): number {
    return (this.#watch.clock.monotonic() - this.#startedAt) / 1000;
  }

  /** Begins to listen to the client; a client that has left already counts at once. */
  listen(): void {
    const request = this.#request;
    this.#request = undefined;
    if (request === undefined) return;
    onClientLeft(request, this, () => {
      this.left = true;
      this.#watch.drop(this);
      this.#controller.abort(new GatewayError("client_closed", "The client closed the connection."));
    });
  }

  /** One look: aborts when the deadline has passed. Returns whether the call is to be looked at again. */
  tick(now: number): boolean {
    if (now - this.#startedAt < this.#seconds * 1000) {
      this.listen();
      return true;
    }
    this.#controller.abort(deadlineExceeded(this.#seconds));
    return false;
  }

  /**
   * The handler has answered. A complete answer ends the deadline. A streamed one keeps it, but the watch then holds
   * the call weakly: nobody tells us when a body that is passed through untouched has ended, and a finished stream
   * must not stay in memory until its deadline.
   */
  settle(streams: boolean): void {
    this.#watch.drop(this);
    if (!streams) {
      this.complete = true;
      return;
    }
    if (this.#controller.signal.aborted) return;
    this.listen();
    owners.set(this.#controller.signal, this.#controller);
    this.#watch.addStream(new WeakRef(this.#controller), this.#startedAt + this.#seconds * 1000, this.#seconds);
  }
}

interface StreamDeadline {
  readonly controller: WeakRef<AbortController>;
  readonly at: number;
  readonly seconds: number;
}

/** All calls under way, and the one timer that looks at them. The timer runs only while there are any. */
export class CallWatch {
  readonly clock: Clock;
  readonly #late: boolean;
  /**
   * Those under way, in no order. An array with slots and not a `Set`: what is deleted from a `Set` stays reachable
   * until that is rehashed, which kept the requests of a second alive at every garbage collection.
   */
  readonly #calls: CallDeadline[] = [];
  readonly #streams = new Set<StreamDeadline>();
  #ticking = false;

  /** `lateSignals`: the runtime's `request.signal` also tells of a client that left before anybody asked for the signal. */
  constructor(clock: Clock, lateSignals: boolean) {
    this.clock = clock;
    this.#late = lateSignals;
  }

  begin(request: Request, seconds: number): CallDeadline {
    const call = new CallDeadline(this, request, seconds, this.clock.monotonic());
    call.slot = this.#calls.push(call) - 1;
    if (!this.#late) call.listen();
    this.#arm();
    return call;
  }

  drop(call: CallDeadline): void {
    const { slot } = call;
    if (slot === -1) return;
    call.slot = -1;
    const last = this.#calls.pop();
    if (last === undefined || last === call) return;
    last.slot = slot;
    this.#calls[slot] = last;
  }

  addStream(controller: WeakRef<AbortController>, at: number, seconds: number): void {
    this.#streams.add({ controller, at, seconds });
    this.#arm();
  }

  #arm(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    this.clock.timer(TICK_MILLISECONDS, () => this.#tick());
  }

  #tick(): void {
    const now = this.clock.monotonic();
    for (const call of [...this.#calls]) if (call.slot !== -1 && !call.tick(now)) this.drop(call);
    for (const stream of this.#streams) {
      const controller = stream.controller.deref();
      if (controller !== undefined && now < stream.at) continue;
      this.#streams.delete(stream);
      controller?.abort(deadlineExceeded(stream.seconds));
    }
    this.#ticking = false;
    if (this.#calls.length > 0 || this.#streams.size > 0) this.#arm();
  }
}

const deadlineExceeded = (seconds: number): GatewayError =>
  new GatewayError(
    "deadline_exceeded",
    `The call did not end within its deadline of ${seconds} s (x-request-timeout).`,
  );
