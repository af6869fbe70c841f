/** What the parts of the sync service share: its place for the one running sync, its records, its spool, its recipe. */
import type { StartSync, WeightSync, WeightVersionRecord } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, SyncId, WeightDigest, WeightVersion } from "../contract/ids.ts";
import type { CurrentWeights } from "../engine/engine.ts";
import type { FleetRegistry } from "../fleet/types.ts";
import type { Logger } from "../observe/log.ts";
import type { Files, Ports, Sha256 } from "../ports.ts";
import type { CatchUp } from "./catch-up.ts";
import type { History } from "./history.ts";
import type { SyncJournal } from "./journal.ts";
import type { SyncRun } from "./orchestrate.ts";
import type { Recipe } from "./recipe.ts";
import type { SyncRecord } from "./record.ts";
import type { Records } from "./records.ts";
import type { Spool } from "./spool.ts";
import type { StartedBy, SwitchBarrier } from "./types.ts";

/** Where weights are received. */
export interface Disk {
  readonly files: Files;
  readonly sha256: () => Sha256;
  readonly spool: Spool;
}

/** The shared state of one sync service. */
export interface SyncRoom {
  readonly fleet: FleetRegistry;
  readonly ports: Ports;
  readonly log: Logger;
  readonly journal: SyncJournal;
  readonly barrier: SwitchBarrier | undefined;
  readonly onChange: ((sync: WeightSync, by: StartedBy) => void) | undefined;
  readonly records: Records;
  readonly runs: Map<string, SyncRun>;
  readonly history: History;
  readonly catchUp: CatchUp;
  /** See `createCompare`; absent: servers that cannot prove a digest stay unverified. */
  readonly compare: ((ids: readonly ReplicaId[]) => Promise<ReadonlySet<ReplicaId>>) | undefined;
  newId(): SyncId;
  /** Empties a set's folder in the background. */
  remove(id: string): Promise<void>;
  /** It runs now, here. */
  active: SyncRecord | undefined;
  /** A trainer's session is about to get the place of `active`. */
  reserved: boolean;
  recipe: Recipe;
  /** Set while a switch is under way: a worker that restarts now must come back with the new weights. */
  switching: CurrentWeights | undefined;
}

/** One line of the history. `now`: milliseconds since the epoch. */
export function toVersionRecord(
  version: WeightVersion,
  digest: WeightDigest | null,
  servers: readonly ReplicaId[],
  request: StartSync,
  by: StartedBy,
  sync: SyncId,
  now: number,
): WeightVersionRecord {
  return {
    version,
    label: request.label ?? null,
    digest,
    created_at: new Date(now).toISOString(),
    created_by: by.actor,
    source: request.source.kind,
    sync,
    servers: [...servers],
  };
}
