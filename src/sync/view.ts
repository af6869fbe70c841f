/** One sync as the control API shows it: the machine's state plus what it does not need to know. */
import type { StartSync, SyncServer, WeightSync } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, SyncId, WeightVersion } from "../contract/ids.ts";
import type { StageProgress } from "../engine/engine.ts";
import type { SyncState } from "./machine.ts";
import type { LeftOut } from "./participants.ts";

/** What is counted beside the state. */
export interface SyncProgress {
  /** Bytes of the source, received and in all (as far as known). */
  received: StageProgress;
  readonly staged: Map<ReplicaId, StageProgress>;
}

export interface SyncFacts {
  readonly id: SyncId;
  readonly request: StartSync;
  readonly version: WeightVersion;
  readonly createdAt: string;
  readonly leftOut: readonly LeftOut[];
  /** Servers whose weights were compared with another's, and agree. */
  readonly compared?: ReadonlySet<string>;
}

const NOTHING: StageProgress = { bytesDone: 0, bytesTotal: 0 };

/** Steps of a replica that has loaded everything. */
const LOADED: ReadonlySet<SyncServer["phase"]> = new Set(["staged", "verified", "switching", "switched"]);

/**
 * The resource. `finishedAt` null shows the sync as running, whatever the machine says: clean-up may still be under way.
 * `bytes_*` add up the receiving and every replica's staging, so that they only grow and end equal.
 */
export function toWeightSync(
  { id, request, version, createdAt, leftOut, compared }: SyncFacts,
  state: SyncState,
  { received, staged }: SyncProgress,
  finishedAt: string | null,
): WeightSync {
  const servers = state.replicas.map((replica): SyncServer => {
    const own = staged.get(replica.id) ?? NOTHING;
    // Until the replica says how much it has to load, the size of the source is the best guess.
    const total = own.bytesTotal === 0 ? received.bytesTotal : own.bytesTotal;
    return {
      id: replica.id,
      phase: replica.step,
      bytes_done: LOADED.has(replica.step) ? total : own.bytesDone,
      bytes_total: total,
      ...(replica.digest === null ? {} : { digest: replica.digest }),
      ...(replica.step === "switched"
        ? {
            verified:
              replica.digest !== null ? "digest" : compared?.has(replica.id) === true ? "compared" : "unverified",
          }
        : {}),
      ...(replica.error === null ? {} : { error: replica.error }),
    };
  });
  const sum = (pick: (server: SyncServer) => number): number => servers.reduce((all, server) => all + pick(server), 0);
  const absent = leftOut.map((one): SyncServer => {
    return { id: one.id, phase: "left_out", bytes_done: 0, bytes_total: 0, error: one.reason };
  });
  const { error } = state;
  return {
    id,
    state: finishedAt === null ? "running" : state.outcome,
    phase: state.phase,
    version,
    label: request.label ?? null,
    digest: state.digest,
    source: request.source,
    mode: request.mode,
    partial: request.partial,
    created_at: createdAt,
    finished_at: finishedAt,
    bytes_done: received.bytesDone + sum((server) => server.bytes_done),
    bytes_total: received.bytesTotal + sum((server) => server.bytes_total),
    servers: [...servers, ...absent],
    ...(error === null || finishedAt === null
      ? {}
      : {
          error: {
            code: error.code,
            phase: error.phase,
            message: error.message,
            ...(error.replica === undefined ? {} : { replica: error.replica }),
            ...(error.tensor === undefined ? {} : { tensor: error.tensor }),
            ...(error.upstream === undefined ? {} : { upstream: error.upstream }),
          },
        }),
  };
}
