/** The place of a running sync for somebody outside who drives it: a trainer over vLLM's own routes. */
import type { StartSync } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, WeightVersion } from "../contract/ids.ts";
import type { SyncTurn } from "./journal.ts";
import type { SyncState } from "./machine.ts";
import { droppedSets, EMPTY_RECIPE } from "./recipe.ts";
import { createRecord } from "./record.ts";
import { type SyncRoom, toVersionRecord } from "./room.ts";
import type { ExternalSync, StartedBy } from "./types.ts";

/**
 * Takes the place. Throws what refuses a sync: `sync_in_progress`, `store_unavailable`.
 *
 * @param nextVersion the version that a sync begun now would have.
 */
export async function beginExternal(
  room: SyncRoom,
  nextVersion: () => WeightVersion,
  request: StartSync,
  by: StartedBy,
  state: SyncState,
): Promise<ExternalSync> {
  const { fleet, ports, journal, onChange, records, history, catchUp } = room;
  const { clock } = ports;
  let turn: SyncTurn | undefined;
  const createdAt = new Date(clock.now()).toISOString();
  const compared = new Set<ReplicaId>();
  const facts = { id: room.newId(), request, version: nextVersion(), createdAt, leftOut: [], compared };
  const record = createRecord(facts, state, clock, (sync) => {
    if (sync.finished_at === null) turn?.note(sync);
    onChange?.(sync, by);
  });
  room.reserved = true;
  let held: SyncTurn;
  try {
    await journal.refresh();
    facts.version = nextVersion();
    held = await journal.begin(record.view(), "trainer");
  } finally {
    room.reserved = false;
  }
  turn = held;
  room.active = record;
  records.add(record);
  return {
    id: facts.id,
    turn: held,
    setState: record.setState,
    async publish(version, label, servers, ended) {
      facts.version = version;
      facts.request = label === null ? request : { ...request, label };
      for (const id of (await room.compare?.(servers)) ?? []) compared.add(id);
      const made = toVersionRecord(version, null, servers, facts.request, by, facts.id, clock.now());
      await held.publish({ sync: record.final(ended), record: made, sets: [], replicas: servers });
      // What the spool holds makes up older weights; nothing here can load the new ones again.
      for (const dropped of droppedSets(room.recipe, EMPTY_RECIPE)) void room.remove(dropped);
      room.recipe = EMPTY_RECIPE;
      fleet.publish(version, null);
      history.append(made);
    },
    async finish() {
      await held.end(record.final());
      room.active = undefined;
      record.finish();
      catchUp.check();
    },
  };
}
