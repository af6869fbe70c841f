/** Who takes part in a sync, and what makes one impossible before it starts. Reads the fleet, changes nothing. */
import type { SyncSource } from "../contract/control/weight-syncs.ts";
import type { ReplicaId } from "../contract/ids.ts";
import type { TensorSpec } from "../engine/engine.ts";
import { GatewayError } from "../errors.ts";
import type { FleetRegistry, Replica } from "../fleet/types.ts";
import { manifestDifference } from "./manifest.ts";

export interface LeftOut {
  readonly id: ReplicaId;
  readonly reason: string;
}

export interface Participants {
  /** At least one. All serve the same model and can switch in two phases. */
  readonly replicas: readonly Replica[];
  /** Not up now. What comes back loads the published weights before it serves. */
  readonly leftOut: readonly LeftOut[];
  /** The tensors of the model they serve; null when none of them can tell. */
  readonly manifest: readonly TensorSpec[] | null;
}

/** What of a request decides who can take part. */
export interface SyncWishes {
  readonly source: SyncSource;
  readonly partial: boolean;
}

/** Why a replica cannot be part of such a sync; null when it can. */
export function cannotSync(replica: Replica, { source, partial }: SyncWishes): string | null {
  const { weights } = replica.engine;
  if (weights === undefined) {
    return `Replica ${replica.id} (${replica.engine.kind}) cannot take weights through the gateway in this version.`;
  }
  if (source.kind === "nccl") {
    return `Replica ${replica.id} (${replica.engine.kind}) cannot receive weights over NCCL in this version; use disk, http or upload.`;
  }
  const reason = weights.cannot?.() ?? (partial ? weights.wholeOnly : undefined);
  return reason === undefined
    ? null
    : `Replica ${replica.id} (${replica.engine.kind}) cannot take these weights: ${reason}`;
}

/** Why a replica is not there right now; null when it is. */
export function notUp(replica: Replica): string | null {
  if (replica.info !== null && (replica.state === "ready" || replica.state === "draining")) return null;
  const why = replica.lastError === null ? replica.state : `${replica.state}: ${replica.lastError}`;
  return replica.state === "quarantined"
    ? `Quarantined (${replica.lastError ?? "no reason given"}); it stays out until it is refitted or restarted.`
    : `Not up (${why}); it loads the published weights before it serves again.`;
}

/**
 * Chooses the participants of a sync. All or nothing for replicas that can never take part: a fleet on two versions
 * would be the result.
 *
 * @throws GatewayError `unsupported` naming the replicas that cannot sync, `conflict` when none is up or two serve
 * different models.
 */
export function chooseParticipants(fleet: FleetRegistry, wishes: SyncWishes): Participants {
  const { source } = wishes;
  const all = fleet.replicas().filter((replica) => replica.state !== "stopped");
  const impossible = all.flatMap((replica) => cannotSync(replica, wishes) ?? []);
  const first = all.find((replica) => cannotSync(replica, wishes) !== null);
  if (first !== undefined) {
    throw new GatewayError("unsupported", impossible.join(" "), {
      replica: first.id,
      ...(first.engine.weights === undefined || source.kind !== "nccl" ? {} : { param: "source.kind" }),
    });
  }
  const sound = all.filter((replica) => notUp(replica) === null);
  // When all are fenced, a complete set is what brings them back.
  const fenced = all.filter((replica) => replica.state === "quarantined" && replica.info !== null);
  const replicas = sound.length > 0 || wishes.partial ? sound : fenced;
  const leftOut = all.flatMap((replica) => {
    const reason = replicas.includes(replica) ? null : notUp(replica);
    return reason === null ? [] : [{ id: replica.id, reason }];
  });
  if (replicas.length === 0) {
    const states = leftOut.map(({ id, reason }) => `${id}: ${reason}`).join(" ");
    throw new GatewayError("conflict", `No replica is up to take weights. ${states || "There are no replicas."}`);
  }
  const telling = replicas.flatMap(({ id, engine }) => {
    const manifest = engine.weights?.manifest() ?? null;
    return manifest === null ? [] : [{ id, manifest }];
  });
  // The strictest first: one that casts nothing.
  const one = telling.find(({ manifest }) => manifest.every(({ castable }) => castable !== true)) ?? telling[0];
  for (const other of telling) {
    const difference =
      one === undefined || one === other ? undefined : manifestDifference(one.manifest, other.manifest);
    if (difference === undefined) continue;
    throw new GatewayError(
      "conflict",
      `Replicas ${one?.id} and ${other.id} serve different models: ${difference}. One sync cannot fit both.`,
      { replica: other.id },
    );
  }
  return { replicas, leftOut, manifest: one?.manifest ?? null };
}
