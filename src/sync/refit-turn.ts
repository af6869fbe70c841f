/** The turn of one server that is brought to the published weights outside of a sync. */
import type { WeightSync } from "../contract/control/weight-syncs.ts";
import type { SyncId, WeightVersion } from "../contract/ids.ts";
import type { Replica } from "../fleet/types.ts";
import type { SyncJournal, SyncTurn } from "./journal.ts";

/**
 * A server that other gateways use too, or that another one must find fenced when this one dies meanwhile, needs the
 * turn. A worker of ours does not: nobody else has it, and it dies with us. Throws what refuses a sync.
 */
export async function beginRefit(
  journal: SyncJournal,
  replica: Replica,
  version: WeightVersion,
  id: SyncId,
  now: number,
): Promise<SyncTurn | null> {
  if (!journal.durable || replica.engine.kind === "embedded") return null;
  const sync: WeightSync = {
    id,
    state: "running",
    phase: "switch",
    version,
    label: null,
    digest: null,
    source: { kind: "disk", path: "the published weights" },
    mode: "wait",
    partial: false,
    created_at: new Date(now).toISOString(),
    finished_at: null,
    bytes_done: 0,
    bytes_total: 0,
    servers: [{ id: replica.id, phase: "switching", bytes_done: 0, bytes_total: 0 }],
  };
  return journal.begin(sync, "refit");
}
