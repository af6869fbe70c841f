/** The gateway's own metrics: weights, syncs, moved requests, and the process itself. */
import type { WeightSync } from "../contract/control/weight-syncs.ts";
import type { FleetManager } from "../fleet/fleet.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Ports } from "../ports.ts";
import type { HedgeEnd } from "./hedge.ts";

/** Seconds; from a small model on local disk to a large one over a slow network. */
const SYNC_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export interface GatewayObserver {
  moved(replica: string): void;
  hedged(end: "started" | HedgeEnd): void;
  syncEnded(sync: WeightSync): void;
}

/** Registers the metrics. */
export function observeGateway(
  metrics: Metrics,
  ports: Ports,
  fleet: FleetManager,
  streams: { readonly active: number },
): GatewayObserver {
  const moved = metrics.counter("tidegate_requests_moved_total", "Requests that another replica took over.", [
    "replica",
  ]);
  const hedges = metrics.counter(
    "tidegate_hedged_requests_total",
    "Calls that were asked of a second replica (started), and whose answer counted: won, lost, failed on both.",
    ["outcome"],
  );
  const syncs = metrics.counter("tidegate_weight_syncs_total", "Weight syncs that ended.", ["state"]);
  const duration = metrics.histogram(
    "tidegate_weight_sync_duration_seconds",
    "From start to end of a weight sync.",
    SYNC_BOUNDS,
    ["state"],
  );
  const version = metrics.gauge("tidegate_weight_version", "Published weight version.");
  const weights = metrics.gauge("tidegate_weight_bytes", "Weights of an embedded replica, by where they are.", [
    "replica",
    "tier",
  ]);
  const pageIns = metrics.gauge(
    "tidegate_weight_page_ins_total",
    "Groups of weights that an embedded replica read from disk for a step, since its worker started.",
    ["replica"],
  );
  const computed = metrics.gauge(
    "tidegate_computed_tokens_total",
    "Tokens that an embedded replica computed since its worker started.",
    ["replica"],
  );
  const sequences = metrics.gauge(
    "tidegate_sequences",
    "Sequences that an embedded replica computes (running) or keeps waiting, as its last heartbeat said.",
    ["replica", "state"],
  );
  const preemptions = metrics.gauge(
    "tidegate_preemptions_total",
    "Sequences that left the KV cache for others and were recomputed, since the worker started.",
    ["replica"],
  );
  const queried = metrics.gauge(
    "tidegate_prefix_cache_queries_tokens_total",
    "Prompt tokens looked up in the prefix cache of an embedded replica, since its worker started.",
    ["replica"],
  );
  const hit = metrics.gauge(
    "tidegate_prefix_cache_hits_tokens_total",
    "Prompt tokens that were found in the prefix cache and not computed again, since the worker started.",
    ["replica"],
  );
  const workers = metrics.gauge("tidegate_worker_resident_bytes", "Resident memory of an embedded replica's worker.", [
    "replica",
  ]);
  const open = metrics.gauge("tidegate_forwarded_streams", "Upstream streams that are passed on now.");
  const info = metrics.gauge("tidegate_info", "Always 1; the labels tell the runtime.", ["runtime"]);
  const memory = metrics.gauge("process_resident_memory_bytes", "Resident memory of the gateway process.");
  const cpu = metrics.gauge("process_cpu_seconds_total", "User and system CPU time of the gateway process.");
  info.set({ runtime: ports.runtime }, 1);
  metrics.onCollect(() => {
    version.set({}, fleet.published().version);
    open.set({}, streams.active);
    for (const { id, engine } of fleet.replicas()) {
      const activity = engine.activity?.();
      if (activity !== undefined) {
        preemptions.set({ replica: id }, activity?.preemptions ?? 0);
        queried.set({ replica: id }, activity?.prefixTokens.queried ?? 0);
        hit.set({ replica: id }, activity?.prefixTokens.hit ?? 0);
      }
      for (const state of activity === undefined ? [] : (["running", "waiting"] as const)) {
        sequences.set({ replica: id, state }, activity?.[state] ?? 0);
      }
      if (engine.residency?.latest === undefined) continue;
      const summary = engine.residency.latest();
      for (const tier of ["device", "cpu", "disk"] as const) {
        weights.set({ replica: id, tier }, summary?.bytes[tier] ?? 0);
      }
      pageIns.set({ replica: id }, summary?.pageIns ?? 0);
      computed.set({ replica: id }, summary?.tokens ?? 0);
      workers.set({ replica: id }, summary?.processBytes ?? 0);
    }
    const usage = ports.usage?.();
    if (usage === undefined) return;
    memory.set({}, usage.rssBytes);
    cpu.set({}, usage.cpuSeconds);
  });
  return {
    moved: (replica) => moved.add({ replica }),
    hedged: (outcome) => hedges.add({ outcome }),
    syncEnded(sync) {
      syncs.add({ state: sync.state });
      if (sync.finished_at === null) return;
      duration.observe({ state: sync.state }, (Date.parse(sync.finished_at) - Date.parse(sync.created_at)) / 1000);
    },
  };
}
