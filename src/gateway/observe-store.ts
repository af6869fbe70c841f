/** Metrics of a store that several gateways share: whether it answers, how fast, and who has the right to sync. */
import type { Metrics } from "../observe/metrics.ts";

/** Seconds; one round is two commands, on one machine 0.3 ms. */
const ROUND_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5];

/** What is counted. */
export interface StoreObserver {
  /** A look at the store has ended. */
  looked(ok: boolean, milliseconds: number): void;
}

/** Registers the metrics with the first look: a gateway that shares no store has none of them. */
export function observeStore(
  metrics: Metrics,
  read: () => { readonly heard: boolean; readonly holdsLease: boolean },
): StoreObserver {
  let observer: StoreObserver | undefined;

  function register(): StoreObserver {
    const up = metrics.gauge("tidegate_store_up", "1 while the last look at the shared store went well.");
    const heard = metrics.gauge(
      "tidegate_store_heard",
      "1 while this gateway has heard from the other gateways lately enough to send requests to servers.",
    );
    const lease = metrics.gauge("tidegate_store_lease_held", "1 while this gateway has the right to change weights.");
    const failed = metrics.counter("tidegate_store_errors_total", "Looks at the shared store that failed.");
    const seconds = metrics.histogram(
      "tidegate_store_round_seconds",
      "Time of one look at the shared store: a write and a read.",
      ROUND_BOUNDS,
    );
    metrics.onCollect(() => {
      const now = read();
      heard.set({}, now.heard ? 1 : 0);
      lease.set({}, now.holdsLease ? 1 : 0);
    });
    failed.add({}, 0);
    return {
      looked(ok, milliseconds) {
        up.set({}, ok ? 1 : 0);
        if (ok) seconds.observe({}, milliseconds / 1000);
        else failed.add({});
      },
    };
  }

  return {
    looked(ok, milliseconds) {
      observer ??= register();
      observer.looked(ok, milliseconds);
    },
  };
}
