/** The fleet's metrics. Gauges are read when they are asked for, so that a request pays nothing for them. */
import { ServerState } from "../contract/control/servers.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Clock } from "../ports.ts";
import type { ReplicaRecord } from "./replica.ts";

/** What is counted when it happens, rather than read when it is asked for. */
export interface FleetObserver {
  failed(id: string): void;
  /** Zeroes what a detached replica leaves behind. */
  forget(id: string): void;
}

/** Registers the metrics. `replicas` is the fleet's own list. */
export function observeFleet(
  metrics: Metrics,
  replicas: readonly ReplicaRecord[],
  waiting: () => number,
  clock: Pick<Clock, "monotonic">,
): FleetObserver {
  const inFlight = metrics.gauge("tidegate_replica_in_flight", "Requests that a replica is working on.", ["replica"]);
  const state = metrics.gauge("tidegate_replica_state", "1 for the state that a replica is in.", ["replica", "state"]);
  const version = metrics.gauge("tidegate_replica_weight_version", "Weight version a replica serves.", ["replica"]);
  const open = metrics.gauge("tidegate_replica_breaker_open", "1 while failures keep requests away.", ["replica"]);
  const failures = metrics.counter("tidegate_replica_failures_total", "Requests that a replica failed.", ["replica"]);
  const queue = metrics.gauge("tidegate_waiting_requests", "Requests that wait for a replica.");
  metrics.onCollect(() => {
    queue.set({}, waiting());
    const now = clock.monotonic();
    for (const replica of replicas) {
      const labels = { replica: replica.id };
      inFlight.set(labels, replica.inFlight);
      version.set(labels, replica.weightVersion ?? 0);
      open.set(labels, replica.breaker.state(now) === "closed" ? 0 : 1);
      for (const one of ServerState.options) {
        state.set({ replica: replica.id, state: one }, replica.state === one ? 1 : 0);
      }
    }
  });
  return {
    failed: (id) => failures.add({ replica: id }),
    forget(id) {
      inFlight.set({ replica: id }, 0);
      open.set({ replica: id }, 0);
      for (const one of ServerState.options) state.set({ replica: id, state: one }, 0);
    },
  };
}
