/** Starts one sync of the control API: its record, its turn, its run, and what is done when it has ended. */
import type { StartSync } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, SyncId, WeightVersion } from "../contract/ids.ts";
import { weightDigest } from "../tensor/digest.ts";
import { type Ingested, ingest } from "./ingest.ts";
import type { SyncTurn } from "./journal.ts";
import { keepSet } from "./kept-sets.ts";
import { createSyncState } from "./machine.ts";
import { runSync, type SyncRun } from "./orchestrate.ts";
import type { Participants } from "./participants.ts";
import { droppedSets, extendRecipe, type Recipe } from "./recipe.ts";
import { createRecord, type SyncRecord } from "./record.ts";
import { type Disk, type SyncRoom, toVersionRecord } from "./room.ts";
import { openSource } from "./source.ts";
import type { StartedBy } from "./types.ts";

/** What a sync is made of. */
export interface Launch {
  readonly id: SyncId;
  readonly request: StartSync;
  readonly by: StartedBy;
  readonly upload: ReadableStream<Uint8Array> | undefined;
  readonly disk: Disk;
  readonly version: WeightVersion;
  readonly participants: Participants;
  readonly onReady: (at: "checked" | "received") => void;
}

/** Starts the sync's own task. It is `active` from here until its record is finished. */
export function launch(room: SyncRoom, plan: Launch): { readonly record: SyncRecord; readonly run: SyncRun } {
  const { fleet, ports, log, journal, barrier, onChange, records, runs, history, catchUp } = room;
  const { clock } = ports;
  const { id, request, by, upload, version, onReady } = plan;
  const { files, sha256, spool } = plan.disk;
  const { replicas, leftOut, manifest } = plan.participants;
  const compared = new Set<ReplicaId>();
  const facts = { id, request, version, createdAt: new Date(clock.now()).toISOString(), leftOut, compared };
  const ids = replicas.map((replica) => replica.id);
  const begun = createSyncState(ids, request.verify);
  let turn: SyncTurn | undefined;
  const record = createRecord(facts, begun, clock, (sync) => {
    if (sync.finished_at === null) turn?.note(sync);
    onChange?.(sync, by);
  });
  const lines = log.with({ sync: id, version, request_id: by.requestId });
  let received: Ingested | undefined;
  const extended = (): Recipe => extendRecipe(room.recipe, id, received!.set, received!.hashes);

  room.active = record;
  records.add(record);
  const run = runSync(
    {
      id,
      version,
      mode: request.mode,
      verify: request.verify,
      deadlineMilliseconds: request.deadline_s * 1000,
      participants: replicas,
      async receive(signal) {
        turn = await journal.begin(record.view(), "control");
        turn.signal.addEventListener("abort", () => run.lose(turn?.signal.reason), { once: true });
        const source = await openSource(request.source, {
          files,
          fetch: ports.fetch,
          clock,
          ...(upload === undefined ? {} : { upload }),
        });
        received = await ingest(source, {
          files,
          sha256,
          clock,
          directory: await spool.create(id),
          manifest,
          partial: request.partial,
          signal,
          onProgress: (bytesDone, bytesTotal) => record.setReceived({ bytesDone, bytesTotal }),
          onChecked: () => onReady("checked"),
        });
        if (journal.durable) await keepSet(files, spool.pathOf(id), received.set, received.hashes);
        onReady("received");
        lines.info("weights received", { bytes: received.bytes, digest: received.set.digest });
        const { hashes } = extended();
        return { set: received.set, expected: hashes === null ? null : weightDigest(hashes.values(), sha256) };
      },
      onState: (state) => record.setState(state),
      onProgress: (replica, progress) => record.setStaged(replica, progress),
      async beforeSwitch(signal) {
        await journal.announce(received!.hashes.keys());
        await turn?.touch(ids, request.mode, signal);
      },
      check: () => turn?.check(),
      onSwitching() {
        room.switching = { version, digest: run.state().digest, sets: extended().sets.map(({ set }) => set) };
      },
      async publish(digest, servers) {
        for (const one of (request.verify ? await room.compare?.(servers) : undefined) ?? []) compared.add(one);
        await turn?.publish({
          sync: record.final({ outcome: "completed", phase: "done" }),
          record: toVersionRecord(version, digest, servers, request, by, id, clock.now()),
          sets: extended().sets.map((set) => set.id),
          replicas: servers,
        });
      },
      onPublished(digest, servers) {
        const before = room.recipe;
        room.recipe = extended();
        for (const dropped of droppedSets(before, room.recipe)) void room.remove(dropped);
        history.append(toVersionRecord(version, digest, servers, request, by, id, clock.now()));
      },
    },
    { fleet, clock, log: lines, ...(barrier === undefined ? {} : { barrier }) },
  );
  runs.set(id, run);
  void run.done.then(async (state) => {
    room.switching = undefined;
    // What may have been written down as published is only removed by a later sync.
    if (state.outcome !== "completed" && state.phase !== "publish") await room.remove(id);
    const fenced = state.replicas.flatMap(({ id: replica, step }) => (step === "fenced" ? [replica] : []));
    for (const replica of fenced) catchUp.watchFenced(replica);
    const { phase, outcome, digest, error } = state;
    const level = outcome === "completed" && error === null ? "info" : "warn";
    lines[level](`weight sync ${outcome}`, { phase, digest, error });
    await turn?.end(record.final());
    room.active = undefined;
    runs.delete(id);
    record.finish();
    catchUp.check();
    if (state.outcome === "completed") catchUp.retryFenced(fenced);
  });
  return { record, run };
}
