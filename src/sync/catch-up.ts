/**
 * Brings single replicas to the published weights outside of a sync: one that came up with older weights while a sync
 * ran, and one that was fenced and has since been restarted. Proves the digest before the replica serves again.
 */
import type { ReplicaId } from "../contract/ids.ts";
import type { CurrentWeights } from "../engine/engine.ts";
import type { FleetRegistry, Replica } from "../fleet/types.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Logger } from "../observe/log.ts";
import type { Clock } from "../ports.ts";

/** Loading a model from local disk and draining its requests; a replica that needs longer is looked at by a person. */
const CATCH_UP_MILLISECONDS = 600_000;

export interface CatchUp {
  /** A sync has quarantined this replica: a restart that brings the published weights takes it back in. */
  watchFenced(id: ReplicaId): void;
  /** Looks for replicas with other weights than the published ones. Call when a sync has ended. */
  check(): void;
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
}): CatchUp {
  const { fleet, clock, log, current, busy } = options;
  const running = new Map<ReplicaId, Promise<void>>();
  const fenced = new Map<ReplicaId, () => void>();
  const stopping = new AbortController();

  const isCurrent = (replica: Replica): boolean => {
    const { version, digest } = fleet.published();
    if (replica.weightVersion !== version) return false;
    return replica.weightDigest === null || digest === null || replica.weightDigest === digest;
  };

  const load = async (replica: Replica, signal: AbortSignal): Promise<void> => {
    const target = replica.engine.weights!;
    const { version, digest, sets } = current();
    const id = `catch-up-${version}`;
    fleet.setState(replica.id, "syncing", `loads weight version ${version}`);
    await orAborted(fleet.drained([replica.id], signal), signal);
    for (const [at, set] of sets.entries()) {
      const staged = await orAborted(target.stage(id, set, { signal, onProgress: () => undefined }), signal);
      if (at === sets.length - 1 && digest !== null && staged !== digest) {
        throw new Error(`it staged the digest ${staged} instead of ${digest}`);
      }
      await orAborted(target.commit(id, version, "wait", { signal }), signal);
    }
    fleet.setWeights(replica.id, version, digest);
    fenced.get(replica.id)?.();
    fenced.delete(replica.id);
    fleet.setState(replica.id, "ready", null);
    log.info("replica caught up", { replica: replica.id, version, digest });
  };

  const start = (replica: Replica): void => {
    const limit = new AbortController();
    const timer = clock.timer(CATCH_UP_MILLISECONDS, () => limit.abort(new Error("it took too long")));
    const signal = AbortSignal.any([limit.signal, stopping.signal]);
    const before = fleet.published().version;
    log.warn("replica has other weights than the published ones", {
      replica: replica.id,
      has: replica.weightVersion,
      published: before,
    });
    const task = load(replica, signal)
      .catch(async (error: unknown) => {
        await replica.engine.weights?.discard(`catch-up-${before}`).catch(() => undefined);
        if (stopping.signal.aborted || fleet.replica(replica.id) === undefined) return;
        // A sync published in between and took the files away: its end checks again.
        if (fleet.published().version !== before) return fleet.setState(replica.id, "ready", null);
        const reason = error instanceof Error ? error.message : String(error);
        log.error("replica could not catch up", { replica: replica.id, published: before, error });
        fleet.setState(replica.id, "quarantined", `Could not load weight version ${before}: ${reason}.`);
        watchFenced(replica.id);
      })
      .finally(() => {
        timer.cancel();
        running.delete(replica.id);
        check();
      });
    running.set(replica.id, task);
  };

  const check = (): void => {
    if (busy() || stopping.signal.aborted) return;
    const loadable = current().sets.length > 0;
    for (const replica of fleet.replicas()) {
      if (replica.state !== "ready" || replica.info === null || replica.engine.weights === undefined) continue;
      if (running.has(replica.id) || isCurrent(replica)) continue;
      if (loadable) start(replica);
      // Somebody took it out of quarantine by hand, but there is nothing to load that would prove what it holds.
      else if (fenced.has(replica.id)) {
        fleet.setState(replica.id, "quarantined", "Which weights it has is unknown; it must be restarted.");
      }
    }
  };

  /** True when it was taken back in, or is on its way. A fresh process says itself what it has loaded. */
  const readmit = (id: ReplicaId): boolean => {
    const replica = fleet.replica(id);
    if (replica === undefined) return true;
    const proven = isCurrent(replica) && replica.weightDigest !== null;
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
    if (isCurrent(replica) && replica.weightDigest !== null && readmit(id)) return;
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
    async stop() {
      unsubscribe();
      for (const leave of fenced.values()) leave();
      stopping.abort(new Error("the gateway stops"));
      await Promise.allSettled(running.values());
    },
  };
}
