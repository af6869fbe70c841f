/** The fleet in the words of the control API. Pure. */
import type { Fleet } from "../contract/control/fleet.ts";
import type { Server, ServerResidency } from "../contract/control/servers.ts";
import type { SyncId } from "../contract/ids.ts";
import type { ResidencySummary } from "../engine/engine.ts";
import type { FleetFacts, Replica } from "./types.ts";

/** What only the rooms above know. */
export interface SnapshotFacts {
  readonly paused?: boolean;
  readonly draining?: boolean;
  readonly activeSync?: SyncId | null;
}

/** What an engine last said of its weights, in the API's words. */
export function toResidency(summary: ResidencySummary | null): ServerResidency | null {
  if (summary === null) return null;
  const { bytes, budgetBytes, pageIns, tokens, gathered, processBytes } = summary;
  return {
    bytes: { ...bytes },
    budget_bytes: budgetBytes ?? null,
    page_ins: pageIns,
    tokens,
    page_ins_per_token: tokens === 0 ? null : pageIns / tokens,
    gathered,
    process_bytes: processBytes ?? null,
  };
}

/** What an engine last said it has to do, as facts among the others. */
function toActivity({ activity }: Replica["engine"]): Server["details"] {
  const heard = activity?.();
  if (heard === undefined || heard === null) return {};
  const { running, waiting, preemptions, prefixTokens } = heard;
  return {
    running_sequences: running,
    waiting_sequences: waiting,
    preemptions,
    prefix_queried_tokens: prefixTokens.queried,
    prefix_hit_tokens: prefixTokens.hit,
  };
}

/** One replica as `GET /api/servers/{id}` shows it. */
export function toServer(replica: Replica): Server {
  return {
    id: replica.id,
    kind: replica.engine.kind,
    url: replica.engine.url,
    state: replica.state,
    weight_version: replica.weightVersion,
    weight_digest: replica.weightDigest,
    world_size: replica.info?.worldSize ?? 0,
    in_flight: replica.inFlight,
    weight: replica.weight,
    models: replica.info?.models.map((model) => model.id) ?? [],
    ...(replica.adapters.size === 0 ? {} : { adapters: Object.fromEntries(replica.adapters) }),
    last_error: replica.lastError,
    residency: toResidency(replica.engine.residency?.latest?.() ?? null),
    details: { ...replica.info?.details, ...toActivity(replica.engine) },
  };
}

/** One word for all: a fleet is `degraded` when some replica that should serve does not. */
export function fleetState(replicas: readonly Replica[], facts: SnapshotFacts): Fleet["state"] {
  if (facts.draining === true) return "draining";
  if (facts.paused === true) return "paused";
  const part = replicas.filter((replica) => replica.state !== "stopped");
  const ready = part.filter((replica) => replica.state === "ready").length;
  if (part.length > 0 && ready === part.length) return "ready";
  if (ready > 0) return "degraded";
  // In mid switch nobody is ready for a moment; that is no outage.
  return part.some((replica) => replica.state === "starting" || replica.state === "syncing")
    ? "starting"
    : "unavailable";
}

/** Ranks over all replicas that belong to the fleet; stopped ones do not. */
export const worldSize = (replicas: readonly Replica[]): number =>
  replicas.reduce((sum, replica) => sum + (replica.state === "stopped" ? 0 : (replica.info?.worldSize ?? 0)), 0);

/** `GET /api/fleet`. */
export function toFleet(replicas: readonly Replica[], published: FleetFacts, facts: SnapshotFacts): Fleet {
  return {
    state: fleetState(replicas, facts),
    weight_version: published.version,
    weight_digest: published.digest,
    world_size: worldSize(replicas),
    servers: replicas.map(toServer),
    active_sync: facts.activeSync ?? null,
  };
}
