/**
 * Brings single replicas to the published weights outside of a sync: one that came up with older weights while a sync
 * ran, and one that was fenced and has since been restarted. Proves the digest before the replica serves again.
 */
import type { ReplicaId, WeightDigest } from "../contract/ids.ts";
import type { CurrentWeights } from "../engine/engine.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetRegistry, Replica } from "../fleet/types.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Logger } from "../observe/log.ts";
import type { Clock } from "../ports.ts";
import type { SyncTurn } from "./journal.ts";

/** Loading a model from local disk and draining its requests; a replica that needs longer is looked at by a person. */
const CATCH_UP_MILLISECONDS = 600_000;

export interface CatchUp {
  /** A sync has quarantined this replica: a restart that brings the published weights takes it back in. */
  watchFenced(id: ReplicaId): void;
  /** Looks for replicas with other weights than the published ones. Call when a sync has ended. */
  check(): void;
  /**
   * A complete sync was published: servers that an earlier one left without whole weights get the new ones. `except`:
   * those that this sync has just fenced; a second try at once would meet the same trouble.
   */
  retryFenced(except: readonly ReplicaId[]): void;
  /**
   * Loads the published weights into one replica, quarantined or not, and takes it back in when that succeeded; the work
   * goes on when `signal` aborts. Throws GatewayError: `unsupported`, `conflict` with nothing to load from or while it
   * is not up, `sync_in_progress`, `replica_failed` with what the replica said; it is quarantined then.
   */
  refit(id: ReplicaId, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Creates and starts the watch.
 *
 * @param current the published weights and the sets they are made of.
 * @param busy true while a sync runs: then nothing is touched.
 */
export function createCatchUp(options: {
  readonly fleet: FleetRegistry;
  readonly clock: Pick<Clock, "timer">;
  readonly log: Logger;
  readonly current: () => CurrentWeights;
  readonly busy: () => boolean;
  /** The right to change this one server, and the servers' other users out of the way; null: nobody else has a say. */
  readonly begin: (replica: Replica) => Promise<SyncTurn | null>;
}): CatchUp {
  const { fleet, clock, log, current, busy, begin } = options;
  const running = new Map<ReplicaId, Promise<GatewayError | undefined>>();
  /** A commit was sent: without its answer nobody knows what the replica holds. */
  const touched = new Set<ReplicaId>();
  const fenced = new Map<ReplicaId, () => void>();
  const stopping = new AbortController();

  const isCurrent = (replica: Replica): boolean => {
    const { version, digest } = fleet.published();
    if (replica.weightVersion !== version) return false;
    return replica.weightDigest === null || digest === null || replica.weightDigest === digest;
  };

  /** Of a replica that has started anew: without digests anywhere its word for version 0 is as good as at the first start. */
  const isProven = (replica: Replica): boolean =>
    isCurrent(replica) &&
    (replica.weightDigest !== null || (replica.engine.kind !== "embedded" && fleet.published().digest === null));

  const load = async (replica: Replica, signal: AbortSignal, turn: SyncTurn | null): Promise<void> => {
    const target = replica.engine.weights!;
    const check = (): void => turn?.check();
    const { version, digest, sets } = current();
    const id = `catch-up-${version}`;
    fleet.setState(replica.id, "syncing", `loads weight version ${version}`);
    await orAborted(fleet.drained([replica.id], signal), signal);
    await turn?.touch([replica.id], "wait", signal);
    let proven: WeightDigest | null = null;
    touched.delete(replica.id);
    if (sets.length === 0) {
      touched.add(replica.id);
      await orAborted(target.restore!({ signal, check }), signal);
    }
    for (const [at, set] of sets.entries()) {
      if (set.partial && target.wholeOnly !== undefined) throw new GatewayError("unsupported", target.wholeOnly);
      proven = await orAborted(target.stage(id, set, { signal, onProgress: () => undefined }), signal);
      if (at === sets.length - 1 && digest !== null && proven !== null && proven !== digest) {
        throw new Error(`it staged the digest ${proven} instead of ${digest}`);
      }
      touched.add(replica.id);
      await orAborted(target.commit(id, version, "wait", { signal, check }), signal);
    }
    fleet.setWeights(replica.id, version, proven);
    fenced.get(replica.id)?.();
    fenced.delete(replica.id);
    fleet.setState(replica.id, "ready", null);
    log.info("replica caught up", { replica: replica.id, version, digest });
  };

  const start = (replica: Replica): Promise<GatewayError | undefined> => {
    const limit = new AbortController();
    const timer = clock.timer(CATCH_UP_MILLISECONDS, () => limit.abort(new Error("it took too long")));
    const signal = AbortSignal.any([limit.signal, stopping.signal]);
    const before = fleet.published().version;
    log.warn("replica has other weights than the published ones", {
      replica: replica.id,
      has: replica.weightVersion,
      published: before,
    });
    let turn: SyncTurn | null = null;
    let begun = false;
    const work = async (): Promise<void> => {
      // Behind the entry in `running`: nobody starts the same twice meanwhile.
      turn = await begin(replica);
      begun = true;
      const held = turn === null ? signal : AbortSignal.any([signal, turn.signal]);
      await load(replica, held, turn);
    };
    const task = work()
      .then(() => undefined)
      .catch(async (error: unknown): Promise<GatewayError> => {
        const reason = error instanceof Error ? error.message : String(error);
        // Somebody else changes weights, or nobody can be asked: it is looked at again when that has changed.
        if (!begun) {
          log.warn("replica cannot be loaded now", { replica: replica.id, reason });
          return toGatewayError(error);
        }
        const { upstream } = toGatewayError(error).details;
        const failure = new GatewayError(
          "replica_failed",
          `Could not load weight version ${before}: ${reason.replace(/\.$/, "")}.`,
          { replica: replica.id, phase: "refit", cause: error, ...(upstream === undefined ? {} : { upstream }) },
        );
        await replica.engine.weights?.discard(`catch-up-${before}`).catch(() => undefined);
        if (stopping.signal.aborted || fleet.replica(replica.id) === undefined) return failure;
        if (touched.has(replica.id)) fleet.setWeights(replica.id, null, null);
        // A sync published in between and took the files away: its end checks again.
        if (fleet.published().version !== before) fleet.setState(replica.id, "ready", null);
        else {
          log.error("replica could not catch up", { replica: replica.id, published: before, error });
          fleet.setState(replica.id, "quarantined", failure.message);
          watchFenced(replica.id);
        }
        return failure;
      })
      .finally(async () => {
        timer.cancel();
        await turn?.end(null);
        running.delete(replica.id);
        // Refused: looking again at once would only repeat it.
        if (begun) check();
      });
    running.set(replica.id, task);
    return task;
  };

  /** Files of the published weights are there, or they are those that the replica can load from its own model. */
  const loadable = (replica: Replica): boolean => {
    const { version, sets } = current();
    return sets.length > 0 || (version === 0 && replica.engine.weights?.restore !== undefined);
  };

  const check = (): void => {
    if (busy() || stopping.signal.aborted) return;
    for (const replica of fleet.replicas()) {
      if (replica.state !== "ready" || replica.info === null || replica.engine.weights === undefined) continue;
      if (running.has(replica.id) || isCurrent(replica)) continue;
      const has = replica.weightVersion;
      if (loadable(replica)) void start(replica);
      // Somebody took it out of quarantine by hand, but there is nothing to load that would prove what it holds.
      else if (fenced.has(replica.id)) {
        fleet.setState(replica.id, "quarantined", "Which weights it has is unknown; it must be restarted.");
      } else if (replica.engine.kind === "embedded") {
        // It has the weights of its model directory, and is the one that a sync can mend: it stays within reach of one.
        if (replica.lastError === null) {
          const reason = `It has weight version ${has ?? "unknown"} instead of ${fleet.published().version}, whose files are not here any more; run a complete weight sync.`;
          fleet.setState(replica.id, "ready", reason);
        }
      } else if (has === null || has < fleet.published().version) {
        // A server that was restarted behind its URL, say: it came back with the weights of its model directory.
        const reason = `It has weight version ${has ?? "unknown"} instead of ${fleet.published().version}, and nothing is kept here to load that from; run a complete weight sync.`;
        fleet.setState(replica.id, "quarantined", reason);
      }
    }
  };

  /** True when it was taken back in, or is on its way. A fresh process says itself what it has loaded. */
  const readmit = (id: ReplicaId): boolean => {
    const replica = fleet.replica(id);
    if (replica === undefined) return true;
    const proven = isProven(replica);
    if (!proven && current().sets.length === 0) return false;
    log.info("fenced replica restarted", { replica: id, version: replica.weightVersion, proven });
    fleet.setState(id, "ready", null);
    // Not proven: the fleet gives it no requests, and this loads what is published.
    check();
    return true;
  };

  const watchFenced = (id: ReplicaId): void => {
    const replica = fleet.replica(id);
    if (replica === undefined || fenced.has(id)) return;
    // It may have come back while the sync still waited for another one. A fenced replica that did not restart is never
    // taken for this: its version is only set when it confirms a switch or starts.
    if (isProven(replica) && readmit(id)) return;
    const unsubscribe = replica.engine.subscribe((notice) => {
      if (notice.type !== "up") return;
      fleet.setWeights(id, notice.info.weightVersion, notice.info.weightDigest);
      if (!readmit(id)) return;
      unsubscribe();
      fenced.delete(id);
    });
    fenced.set(id, unsubscribe);
  };

  const unsubscribe = fleet.subscribe(() => check());
  return {
    watchFenced,
    check,
    retryFenced(except) {
      if (stopping.signal.aborted) return;
      for (const id of fenced.keys()) {
        const replica = fleet.replica(id);
        // Only what is overwritten in place: a worker that hangs is restarted, and loads by itself then.
        if (replica?.engine.weights?.restore === undefined || replica.info === null) continue;
        if (replica.state !== "quarantined" || except.includes(id) || running.has(id)) continue;
        void start(replica);
      }
    },
    async refit(id, signal) {
      const replica = fleet.replica(id);
      if (replica === undefined) throw new GatewayError("not_found", `There is no server ${id}.`, { param: "id" });
      if (stopping.signal.aborted) throw new GatewayError("conflict", "The gateway is shutting down.");
      if (busy()) {
        throw new GatewayError("sync_in_progress", "A weight sync is running; refit when it has ended.", {
          replica: id,
        });
      }
      const { weights } = replica.engine;
      const cannot = weights === undefined ? "it takes no weights through the gateway." : (weights.cannot?.() ?? null);
      if (cannot !== null)
        throw new GatewayError("unsupported", `${id} cannot be refitted: ${cannot}`, { replica: id });
      if (replica.info === null || !["ready", "quarantined", "syncing", "draining"].includes(replica.state)) {
        const why = replica.lastError ?? "no answer yet";
        throw new GatewayError("conflict", `${id} is ${replica.state} (${why}); start it first.`, { replica: id });
      }
      if (!loadable(replica)) {
        throw new GatewayError(
          "conflict",
          `Nothing is kept here to load weight version ${fleet.published().version} from; run a complete weight sync, or restart ${id}.`,
          { replica: id },
        );
      }
      const failure = await orAborted(running.get(id) ?? start(replica), signal);
      if (failure !== undefined) throw failure;
    },
    async stop() {
      unsubscribe();
      for (const leave of fenced.values()) leave();
      stopping.abort(new Error("the gateway stops"));
      await Promise.allSettled(running.values());
    },
  };
}
