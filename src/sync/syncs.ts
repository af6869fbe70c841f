import type { StartSync, WeightVersionRecord } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, SyncId, WeightDigest, WeightVersion } from "../contract/ids.ts";
import type { CurrentWeights } from "../engine/engine.ts";
import { GatewayError, invalidValue, showValue } from "../errors.ts";
import { sleep } from "../lib/deadline.ts";
import type { Files, Sha256 } from "../ports.ts";
import { weightDigest } from "../tensor/digest.ts";
import { createCatchUp } from "./catch-up.ts";
import { dryRun } from "./dry-run.ts";
import { createHistory } from "./history.ts";
import { canonicalJson, createIdempotency } from "./idempotency.ts";
import { type Ingested, ingest } from "./ingest.ts";
import { createSyncState, type SyncState } from "./machine.ts";
import { runSync, type SyncRun } from "./orchestrate.ts";
import { chooseParticipants, type Participants } from "./participants.ts";
import { droppedSets, EMPTY_RECIPE, extendRecipe, type Recipe } from "./recipe.ts";
import { createRecord, type SyncRecord } from "./record.ts";
import { dropUpload, openSource } from "./source.ts";
import { createSpool, type Spool } from "./spool.ts";
import type { StartedBy, Syncs, SyncsOptions } from "./types.ts";

export type { ExternalSync, StartedBy, Syncs, SyncsOptions } from "./types.ts";

/** Ended syncs that can still be looked at. */
const RECORD_LIMIT = 1000;
/** Idempotency keys remembered. */
const KEY_LIMIT = 1000;
/** A switch that is under way at shutdown gets this long. */
const STOP_MILLISECONDS = 5000;

interface Disk {
  readonly files: Files;
  readonly sha256: () => Sha256;
  readonly spool: Spool;
}

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
export function createSyncs({ fleet, ports, log, barrier, spoolDir, onChange }: SyncsOptions): Syncs {
  const { clock } = ports;
  const disk: Disk | undefined =
    ports.files === undefined || ports.sha256 === undefined || spoolDir === undefined
      ? undefined
      : { files: ports.files, sha256: ports.sha256, spool: createSpool(ports.files, ports.random, spoolDir) };
  const history = createHistory();
  const records = new Map<string, SyncRecord>();
  const runs = new Map<string, SyncRun>();
  const idempotency = createIdempotency<SyncRecord>(KEY_LIMIT);
  const removals = new Set<Promise<void>>();
  let active: SyncRecord | undefined;
  let recipe: Recipe = EMPTY_RECIPE;
  /** Set while a switch is under way: a worker that restarts now must come back with the new weights. */
  let switching: CurrentWeights | undefined;
  let stopping = false;

  const currentWeights = (): CurrentWeights =>
    switching ?? { ...fleet.published(), sets: recipe.sets.map(({ set }) => set) };
  const catchUp = createCatchUp({ fleet, clock, log, current: currentWeights, busy: () => active !== undefined });

  const remove = (id: string): Promise<void> => {
    const removal = (disk?.spool.remove(id) ?? Promise.resolve()).catch((error: unknown) => {
      log.warn("sync: spool could not be emptied", { sync: id, error });
    });
    removals.add(removal);
    return removal.finally(() => removals.delete(removal));
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

  const find = (id: string): SyncRecord => {
    const record = records.get(id);
    if (record === undefined) throw new GatewayError("not_found", `There is no weight sync ${showValue(id)}.`);
    return record;
  };

  const checkFree = (): void => {
    if (stopping) throw new GatewayError("conflict", "The gateway is shutting down; no sync can start.");
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

  /** Starts the sync's own task. It is `active` from here until its record is finished. */
  const launch = (
    request: StartSync,
    by: StartedBy,
    upload: ReadableStream<Uint8Array> | undefined,
    { files, sha256, spool }: Disk,
    version: WeightVersion,
    { replicas, leftOut, manifest }: Participants,
    onReady: (at: "checked" | "received") => void,
  ): { readonly record: SyncRecord; readonly run: SyncRun } => {
    const id = `ws_${ports.random.uuid()}` as SyncId;
    const facts = { id, request, version, createdAt: new Date(clock.now()).toISOString(), leftOut };
    const begun = createSyncState(
      replicas.map((replica) => replica.id),
      request.verify,
    );
    const record = createRecord(facts, begun, clock, (sync) => onChange?.(sync, by));
    const lines = log.with({ sync: id, version, request_id: by.requestId });
    let received: Ingested | undefined;
    const extended = (): Recipe => extendRecipe(recipe, id, received!.set, received!.hashes);

    active = record;
    records.set(id, record);
    const run = runSync(
      {
        id,
        version,
        mode: request.mode,
        verify: request.verify,
        deadlineMilliseconds: request.deadline_s * 1000,
        participants: replicas,
        async receive(signal) {
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
          onReady("received");
          lines.info("weights received", { bytes: received.bytes, digest: received.set.digest });
          const { hashes } = extended();
          return { set: received.set, expected: hashes === null ? null : weightDigest(hashes.values(), sha256) };
        },
        onState: (state) => record.setState(state),
        onProgress: (replica, progress) => record.setStaged(replica, progress),
        onSwitching() {
          switching = { version, digest: run.state().digest, sets: extended().sets.map(({ set }) => set) };
        },
        onPublished(digest, servers) {
          const before = recipe;
          recipe = extended();
          for (const dropped of droppedSets(before, recipe)) void remove(dropped);
          history.append(toVersionRecord(version, digest, servers, request, by, id, clock.now()));
        },
      },
      { fleet, clock, log: lines, ...(barrier === undefined ? {} : { barrier }) },
    );
    runs.set(id, run);
    void run.done.then(async (state) => {
      switching = undefined;
      if (state.outcome !== "completed") await remove(id);
      const fenced = state.replicas.flatMap(({ id: replica, step }) => (step === "fenced" ? [replica] : []));
      for (const replica of fenced) catchUp.watchFenced(replica);
      const { phase, outcome, digest, error } = state;
      const level = outcome === "completed" && error === null ? "info" : "warn";
      lines[level](`weight sync ${outcome}`, { phase, digest, error });
      active = undefined;
      runs.delete(id);
      record.finish();
      catchUp.check();
      if (state.outcome === "completed") catchUp.retryFenced(fenced);
    });
    return { record, run };
  };

  const begin = async (
    request: StartSync,
    by: StartedBy,
    upload: ReadableStream<Uint8Array> | undefined,
  ): Promise<SyncRecord> => {
    const room = checkPossible(request, upload);
    const version = nextVersion(request.version);
    const participants = chooseParticipants(fleet, request);
    let checked = false;
    let ready = (): void => undefined;
    const answerable = new Promise<void>((resolve) => {
      ready = resolve;
    });
    // An upload can only be answered when its body is read: a server cuts the body off when the answer is sent.
    const waitFor = request.source.kind === "upload" ? "received" : "checked";
    const { record, run } = launch(request, by, upload, room, version, participants, (at) => {
      checked = true;
      if (at === waitFor) ready();
    });
    forgetOldest(records);
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
        const key = by.idempotencyKey === undefined ? undefined : `${by.actor}\n${by.idempotencyKey}`;
        try {
          const make = (): Promise<SyncRecord> => begin(request, by, upload);
          return (await idempotency.run(key, canonicalJson(request), make)).view();
        } finally {
          if (upload !== undefined) await dropUpload(upload, clock);
        }
      },
      get: (id) => records.get(id)?.view(),
      list({ limit, after }) {
        const all = [...records.values()].reverse();
        const at = after === undefined ? -1 : all.findIndex(({ facts }) => facts.id === after);
        if (after !== undefined && at < 0) throw invalidValue("after", after, "the id of a weight sync");
        return all.slice(at + 1, at + 1 + limit).map((record) => record.view());
      },
      async wait(id, milliseconds, signal) {
        const record = find(id);
        const left = new AbortController();
        await Promise.race([
          record.ended,
          sleep(clock, milliseconds, AbortSignal.any([signal, left.signal])).catch(() => undefined),
        ]);
        left.abort();
        return record.view();
      },
      async abort(id) {
        const record = find(id);
        const run = runs.get(id);
        if (run === undefined && record === active) {
          throw new GatewayError(
            "conflict",
            `Sync ${id} is driven by its trainer; POST /finish_weight_update ends it.`,
          );
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
      events: (id, signal) => find(id).events(signal),
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
    refit: catchUp.refit,
    active: () => active?.facts.id ?? null,
    beginExternal(request, by, state) {
      checkFree();
      const id = `ws_${ports.random.uuid()}` as SyncId;
      const createdAt = new Date(clock.now()).toISOString();
      const facts = { id, request, version: nextVersion(undefined), createdAt, leftOut: [] };
      const record = createRecord(facts, state, clock, (sync) => onChange?.(sync, by));
      active = record;
      records.set(id, record);
      forgetOldest(records);
      return {
        id,
        setState: record.setState,
        publish(version, label, servers) {
          facts.version = version;
          facts.request = label === null ? request : { ...request, label };
          // What the spool holds makes up older weights; nothing here can load the new ones again.
          for (const dropped of droppedSets(recipe, EMPTY_RECIPE)) void remove(dropped);
          recipe = EMPTY_RECIPE;
          fleet.publish(version, null);
          history.append(toVersionRecord(version, null, servers, facts.request, by, id, clock.now()));
        },
        finish() {
          active = undefined;
          record.finish();
          catchUp.check();
        },
      };
    },
    currentWeights,
    recordStart() {
      const { version, digest } = fleet.published();
      history.append({
        version,
        label: null,
        digest,
        created_at: new Date(clock.now()).toISOString(),
        created_by: "start",
        source: "start",
        sync: null,
        servers: fleet.replicas().map(({ id }) => id),
      });
    },
    async stop() {
      stopping = true;
      const running = active;
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

function toVersionRecord(
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

function forgetOldest(records: Map<string, SyncRecord>): void {
  for (const id of records.keys()) {
    if (records.size <= RECORD_LIMIT) return;
    records.delete(id);
  }
}
