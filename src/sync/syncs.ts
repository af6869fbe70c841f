import type { StartSync, WeightVersionRecord } from "../contract/control/weight-syncs.ts";
import type { SyncId, WeightVersion } from "../contract/ids.ts";
import type { CurrentWeights } from "../engine/engine.ts";
import { GatewayError, invalidValue } from "../errors.ts";
import { sleep } from "../lib/deadline.ts";
import { createCatchUp } from "./catch-up.ts";
import { dryRun } from "./dry-run.ts";
import { beginExternal } from "./external.ts";
import { createHistory } from "./history.ts";
import { canonicalJson, createIdempotency, hashBody } from "./idempotency.ts";
import { createFreeJournal } from "./journal.ts";
import { readRecipe } from "./kept-sets.ts";
import { launch } from "./launch.ts";
import type { SyncState } from "./machine.ts";
import { chooseParticipants } from "./participants.ts";
import { EMPTY_RECIPE } from "./recipe.ts";
import type { SyncRecord } from "./record.ts";
import { type AnyRecord, createRecords } from "./records.ts";
import { beginRefit } from "./refit-turn.ts";
import type { Disk, SyncRoom } from "./room.ts";
import { dropUpload } from "./source.ts";
import { createSpool } from "./spool.ts";
import type { StartedBy, Syncs, SyncsOptions } from "./types.ts";

export type { ExternalSync, StartedBy, Syncs, SyncsOptions } from "./types.ts";

/** Idempotency keys remembered. */
const KEY_LIMIT = 1000;
/** A switch that is under way at shutdown gets this long. */
const STOP_MILLISECONDS = 5000;

/** The error of a sync that did not come far enough to be answered with 202. */
function toStartError(id: string, state: SyncState): GatewayError {
  const { error } = state;
  if (error === null) return new GatewayError("conflict", `Sync ${id} was aborted while its weights were received.`);
  const { code, message, phase, replica, tensor, upstream, param } = error;
  return new GatewayError(code, message, {
    phase,
    ...(replica === undefined ? {} : { replica }),
    ...(tensor === undefined ? {} : { tensor }),
    ...(upstream === undefined ? {} : { upstream }),
    ...(param === undefined ? {} : { param }),
  });
}

/** Creates the sync service; nothing runs until `start`. */
export function createSyncs(options: SyncsOptions): Syncs {
  const { fleet, ports, log, barrier, spoolDir, onChange, claims, compare, journal = createFreeJournal() } = options;
  const { clock } = ports;
  const disk: Disk | undefined =
    ports.files === undefined || ports.sha256 === undefined || spoolDir === undefined
      ? undefined
      : {
          files: ports.files,
          sha256: ports.sha256,
          spool: createSpool(ports.files, ports.random, spoolDir, journal.durable),
        };
  const idempotency = createIdempotency<AnyRecord>(KEY_LIMIT, claims);
  const removals = new Set<Promise<void>>();
  const { records, history, runs } = { records: createRecords(), history: createHistory(), runs: new Map() };
  let stopping = false;

  const currentWeights = (): CurrentWeights =>
    room.switching ?? { ...fleet.published(), sets: room.recipe.sets.map(({ set }) => set) };
  const newId = (): SyncId => `ws_${ports.random.uuid()}` as SyncId;
  const catchUp = createCatchUp({
    fleet,
    clock,
    log,
    current: currentWeights,
    busy: () => room.active !== undefined || room.reserved || journal.active() !== null,
    begin: (replica) => beginRefit(journal, replica, fleet.published().version, newId(), clock.now()),
  });
  const room: SyncRoom = {
    ...{ fleet, ports, log, journal, barrier, onChange, records, runs, history, catchUp, compare, newId },
    remove(id) {
      const removal = (disk?.spool.remove(id) ?? Promise.resolve()).catch((error: unknown) => {
        log.warn("sync: spool could not be emptied", { sync: id, error });
      });
      removals.add(removal);
      return removal.finally(() => removals.delete(removal));
    },
    active: undefined,
    reserved: false,
    recipe: EMPTY_RECIPE,
    switching: undefined,
  };

  const nextVersion = (asked: WeightVersion | undefined): WeightVersion => {
    const { version } = fleet.published();
    if (asked === undefined) return (version + 1) as WeightVersion;
    if (asked <= version) {
      throw new GatewayError(
        "conflict",
        `version must be greater than the published version ${version}, got ${asked}. Leave it out to get ${version + 1}.`,
        { param: "version" },
      );
    }
    return asked;
  };

  const checkFree = (): void => {
    if (stopping) throw new GatewayError("conflict", "The gateway is shutting down; no sync can start.");
    const { active } = room;
    if (room.reserved) {
      throw new GatewayError("sync_in_progress", "A trainer is just beginning an update. Wait for its end.");
    }
    const elsewhere = active === undefined ? journal.refusal() : null;
    if (elsewhere !== null) throw elsewhere;
    if (active === undefined) return;
    const { id, version } = active.facts;
    throw new GatewayError(
      "sync_in_progress",
      `Sync ${id} to version ${version} is running. Wait for it, or end it with DELETE /api/weight-syncs/${id}.`,
    );
  };

  const checkPossible = (request: StartSync, upload: ReadableStream<Uint8Array> | undefined): Disk => {
    checkFree();
    if (disk === undefined) {
      throw new GatewayError("unsupported", `${ports.runtime} gives no file system; weights cannot be received here.`);
    }
    if (upload !== undefined && request.source.kind !== "upload") {
      throw invalidValue("source.kind", request.source.kind, "upload when the body is a safetensors file");
    }
    return disk;
  };

  const begin = async (
    id: SyncId,
    request: StartSync,
    by: StartedBy,
    upload: ReadableStream<Uint8Array> | undefined,
  ): Promise<SyncRecord> => {
    // What is known of other gateways is a moment old: one that has just ended refuses nothing.
    if (journal.refusal() === null) checkFree();
    await journal.refresh();
    const disk = checkPossible(request, upload);
    const version = nextVersion(request.version);
    const participants = chooseParticipants(fleet, request);
    let checked = false;
    let ready = (): void => undefined;
    const answerable = new Promise<void>((resolve) => {
      ready = resolve;
    });
    // An upload can only be answered when its body is read: a server cuts the body off when the answer is sent.
    const waitFor = request.source.kind === "upload" ? "received" : "checked";
    const onReady = (at: "checked" | "received"): void => {
      checked = true;
      if (at === waitFor) ready();
    };
    const { record, run } = launch(room, { id, request, by, upload, disk, version, participants, onReady });
    if ((await Promise.race([answerable, record.ended.then(() => "ended")])) !== "ended") return record;
    const state = run.state();
    if (state.phase !== "receive") return record;
    // Refused at first sight: nothing of it had begun, so there is nothing to look at later.
    if (!checked) records.delete(record.facts.id);
    throw toStartError(record.facts.id, state);
  };

  return {
    syncs: {
      async start(request, by, upload) {
        const id = newId();
        const { idempotencyKey, actor } = by;
        try {
          if (idempotencyKey === undefined) return (await begin(id, request, by, upload)).view();
          const body = upload === undefined || disk === undefined ? undefined : hashBody(upload, disk.sha256);
          const record = await idempotency.run({
            key: `${actor}\n${idempotencyKey}`,
            fingerprint: canonicalJson(request),
            id,
            make: () => begin(id, request, by, body?.stream ?? upload),
            async recall(sync) {
              if (records.get(sync) === undefined) await journal.refresh();
              return records.find(sync);
            },
            ...(body === undefined ? {} : { body }),
          });
          return record.view();
        } finally {
          if (upload !== undefined) await dropUpload(upload, clock);
        }
      },
      get: (id) => records.get(id)?.view(),
      list: records.list,
      async wait(id, milliseconds, signal) {
        const record = records.find(id);
        const left = new AbortController();
        await Promise.race([
          record.ended,
          sleep(clock, milliseconds, AbortSignal.any([signal, left.signal])).catch(() => undefined),
        ]);
        left.abort();
        return record.view();
      },
      async abort(id) {
        const record = records.find(id);
        const run = runs.get(id);
        if (run === undefined && record === room.active) {
          throw new GatewayError(
            "conflict",
            `Sync ${id} is driven by its trainer; POST /finish_weight_update ends it.`,
          );
        }
        if (run === undefined && record.view().finished_at === null) {
          throw new GatewayError("conflict", `Sync ${id} is run by another gateway; DELETE it there.`);
        }
        if (run === undefined) {
          throw new GatewayError("conflict", `Sync ${id} has already ended: ${record.view().state}.`);
        }
        if (!run.abort()) {
          const { outcome } = run.state();
          throw new GatewayError(
            "conflict",
            outcome === "running"
              ? `Sync ${id} is switching the replicas; from here it can only go forward.`
              : `Sync ${id} is already ending: ${outcome}.`,
            { phase: run.state().phase },
          );
        }
        await record.ended;
        return record.view();
      },
      events: (id, signal) => records.find(id).events(signal),
      dryRun: (request, signal) =>
        dryRun(request, {
          fleet,
          ports,
          signal,
          refuse() {
            checkPossible(request, undefined);
            nextVersion(request.version);
          },
        }),
    },
    versions: history,
    async refit(id, signal) {
      if (journal.refusal() !== null) await journal.refresh();
      await catchUp.refit(id, signal);
    },
    refresh: journal.refresh,
    active: () => room.active?.facts.id ?? journal.active(),
    async beginExternal(request, by, state) {
      if (journal.refusal() !== null) await journal.refresh();
      checkFree();
      return beginExternal(room, () => nextVersion(undefined), request, by, state);
    },
    currentWeights() {
      const now = currentWeights();
      // Nothing is kept that makes up the published weights: a worker has those of its model directory, version 0.
      const lost = now.sets.length === 0 && now.version > 0;
      return lost ? { version: 0 as WeightVersion, digest: null, sets: [] } : now;
    },
    announced: journal.announced,
    announce: journal.announce,
    watchFenced: catchUp.watchFenced,
    check: catchUp.check,
    follow: records.follow,
    learn: history.append,
    async useSets(ids, removeOthers) {
      if (disk === undefined) return ids.length === 0 ? null : "this runtime has no files";
      const { files, spool } = disk;
      try {
        room.recipe = await readRecipe(
          files,
          ids.map((id) => ({ id, directory: spool.pathOf(id) })),
        );
        if (removeOthers) await spool.keepOnly(ids);
        return null;
      } catch (error) {
        room.recipe = EMPTY_RECIPE;
        return error instanceof Error ? error.message : String(error);
      }
    },
    recordStart() {
      const { version, digest } = fleet.published();
      const known = history.get(version);
      // The model directory itself may be another one than at an earlier start.
      if (known !== undefined && (version > 0 || known.digest === digest)) return null;
      const started: WeightVersionRecord = {
        version,
        label: null,
        digest,
        created_at: new Date(clock.now()).toISOString(),
        created_by: "start",
        source: "start",
        sync: null,
        servers: fleet.replicas().map(({ id }) => id),
      };
      history.append(started);
      return started;
    },
    async stop() {
      stopping = true;
      const running = room.active;
      const run = running === undefined ? undefined : runs.get(running.facts.id);
      if (running !== undefined && run !== undefined) {
        if (!run.abort()) {
          await Promise.race([running.ended, sleep(clock, STOP_MILLISECONDS)]);
          run.expire();
        }
        await running.ended;
      }
      await catchUp.stop();
      await Promise.all(removals);
      await disk?.spool.clear().catch((error: unknown) => log.warn("sync: spool could not be emptied", { error }));
    },
  };
}
