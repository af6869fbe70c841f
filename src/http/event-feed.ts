/**
 * Tagged values as server-sent events with name, id and heartbeat, for feeds that may be silent for long. `sse.ts`
 * writes what this yields. Ends with its source.
 */
import type { Clock } from "../ports.ts";

/** Proxies commonly cut connections that are silent for 30 to 60 s. */
const HEARTBEAT_MILLISECONDS = 15_000;

/** Clients of EventSource ask again after so long when the connection broke. */
const RETRY = "retry: 2000\n\n";

const HEARTBEAT = ": still here\n\n";

/**
 * `open` is given a signal that aborts with `signal`, or as soon as the reader gives the feed back. Ids count from 1
 * on each connection: a feed always begins with the present state, so nothing has to be asked for again.
 */
export function toEventFeed<T extends { readonly type: string }>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  options: { readonly signal: AbortSignal; readonly clock: Clock; readonly heartbeatMilliseconds?: number },
): AsyncIterable<string> {
  const { signal, clock, heartbeatMilliseconds = HEARTBEAT_MILLISECONDS } = options;
  return {
    [Symbol.asyncIterator]() {
      const own = new AbortController();
      const onAbort = (): void => own.abort(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
      const source = open(own.signal)[Symbol.asyncIterator]();
      let pending: Promise<IteratorResult<T>> | undefined;
      let count = 0;
      let opened = false;

      const close = (): void => {
        signal.removeEventListener("abort", onAbort);
        own.abort();
      };
      return {
        async next(): Promise<IteratorResult<string>> {
          if (!opened) {
            opened = true;
            return { done: false, value: RETRY };
          }
          pending ??= source.next();
          const beat = Promise.withResolvers<undefined>();
          const timer = clock.timer(heartbeatMilliseconds, () => beat.resolve(undefined));
          try {
            const next = await Promise.race([pending, beat.promise]);
            if (next === undefined) return { done: false, value: HEARTBEAT };
            pending = undefined;
            if (next.done === true) {
              close();
              return { done: true, value: undefined };
            }
            count += 1;
            const data = JSON.stringify(next.value);
            return { done: false, value: `id: ${count}\nevent: ${next.value.type}\ndata: ${data}\n\n` };
          } finally {
            timer.cancel();
          }
        },
        async return(): Promise<IteratorResult<string>> {
          close();
          // Not awaited when a read is pending: a generator would queue the return behind it.
          const returned = source.return?.();
          if (pending === undefined) await returned;
          else returned?.catch(() => undefined);
          return { done: true, value: undefined };
        },
      };
    },
  };
}
