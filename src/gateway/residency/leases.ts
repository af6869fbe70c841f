/**
 * Generation leases: who holds a model in memory for a generation, how long, and why it ended. Every way out gives the
 * groups back: release, expiry, a connection that drops, a worker that dies, a weight sync, the end of the process.
 *
 * Source of the idea: TRL `unwrap_model_for_generation` (0.15.2 `trl/models/utils.py:179`), which gathers all parameters
 * for the time of a `with` block and does not give them back when it throws.
 */
import type { CreateLease, GenerationLease, LeaseEvent, LeaseId } from "../../contract/control/generation-leases.ts";
import type { ReplicaId } from "../../contract/ids.ts";
import { GatewayError, invalidValue } from "../../errors.ts";
import type { FleetRegistry, Replica } from "../../fleet/types.ts";
import type { Gateway } from "../../gateway-types.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Logger } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Ports, Timer } from "../../ports.ts";
import { createLeaseBarrier, type LeaseBarrier } from "./lease-barrier.ts";
import type { Hold } from "./replica-residency.ts";
import { isLoaded, type Residencies, replicasOf } from "./residencies.ts";

/** Ended leases that can still be looked at. */
const RECORD_LIMIT = 1000;
/** Held at the same time: each is a timer and perhaps a connection. */
const ACTIVE_LIMIT = 10_000;

export interface LeaseOptions {
  readonly fleet: FleetRegistry;
  readonly residencies: Residencies;
  readonly ports: Pick<Ports, "clock" | "random">;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface Leases {
  readonly api: Gateway["leases"];
  readonly barrier: LeaseBarrier;
  /** Ends every lease. Never rejects. */
  stop(): Promise<void>;
}

type Ending = Exclude<GenerationLease["state"], "active">;

interface Entry {
  view: GenerationLease;
  readonly holds: Map<ReplicaId, Hold>;
  /** True when its holder was told that it has it. */
  granted: boolean;
  /** Resolved and replaced at every change. */
  changed: PromiseWithResolvers<void>;
  timer: Timer | null;
  ending: Promise<void> | null;
}

/** Creates the registry. */
export function createLeases({ fleet, residencies, ports, log, metrics }: LeaseOptions): Leases {
  const { clock, random } = ports;
  const entries = new Map<string, Entry>();
  const barrier = createLeaseBarrier();
  const ended = metrics.counter("tidegate_generation_leases_ended_total", "Generation leases that ended.", ["state"]);
  const held = metrics.gauge("tidegate_generation_leases", "Generation leases held now.");
  let active = 0;
  let stopping = false;
  metrics.onCollect(() => held.set({}, active));

  const iso = (at: number): string => new Date(at).toISOString();
  const publish = (entry: Entry): void => {
    const { resolve } = entry.changed;
    entry.changed = Promise.withResolvers<void>();
    resolve();
  };

  const find = (id: string): Entry => {
    const entry = entries.get(id);
    if (entry !== undefined) return entry;
    throw new GatewayError("not_found", `There is no generation lease ${id}. GET /api/generation-leases lists them.`, {
      param: "id",
    });
  };

  const forgetOldest = (): void => {
    for (const [id, entry] of entries) {
      if (entries.size - active <= RECORD_LIMIT) return;
      if (entry.view.state !== "active") entries.delete(id);
    }
  };

  /** Idempotent: the first way out counts. Resolves when everything is given back; only then the record says so. */
  const end = (entry: Entry, state: Ending, reason: string | null): Promise<void> => {
    if (entry.ending !== null) return entry.ending;
    const over = Promise.withResolvers<void>();
    entry.ending = over.promise;
    entry.timer?.cancel();
    active -= 1;
    if (entry.granted && state !== "released") {
      log.warn("generation lease ended", { lease: entry.view.id, state, reason });
    }
    const finish = (): void => {
      entry.view = { ...entry.view, state, reason, ended_at: iso(clock.now()) };
      if (entry.granted) ended.add({ state });
      barrier.left(entry.view.id);
      publish(entry);
      forgetOldest();
      over.resolve();
    };
    void Promise.allSettled([...entry.holds.values()].map((hold) => hold.release())).then(finish);
    return entry.ending;
  };

  const arm = (entry: Entry, ttl: number): void => {
    entry.timer?.cancel();
    entry.view = { ...entry.view, ttl_s: ttl, expires_at: iso(clock.now() + ttl * 1000) };
    entry.timer = clock.timer(ttl * 1000, () => void end(entry, "expired", `not renewed for ${ttl} s`));
  };

  const chooseModel = (asked: string | undefined): string => {
    if (asked !== undefined) return asked;
    const all = fleet.replicas().flatMap(({ info }) => info?.models ?? []);
    const bases = [...new Set(all.filter(({ parent }) => parent === null).map(({ id }) => id))];
    if (bases.length === 1 && bases[0] !== undefined) return bases[0];
    if (bases.length === 0) throw new GatewayError("conflict", "No model is loaded yet; a lease needs one that is.");
    throw new GatewayError("missing_field", `model is required here: one of ${bases.join(", ")}.`, { param: "model" });
  };

  /** Replicas whose model is loaded and awake. Throws `conflict` when there is none. */
  const loaded = async (model: string, signal: AbortSignal): Promise<readonly Replica[]> => {
    const all = replicasOf(fleet, model);
    const asleep = await Promise.all(
      all.map(async ({ engine, state }) => {
        if (engine.residency === undefined || engine.control === undefined || state !== "ready") return false;
        return engine.control.isSleeping({ signal });
      }),
    );
    const usable = all.filter((replica, index) => isLoaded(replica) && asleep[index] !== true);
    if (usable.length > 0) return usable;
    const why = all.map(({ id, state, lastError }, index) => {
      const detail = lastError === null ? "" : ` (${lastError})`;
      return asleep[index] === true ? `${id} is asleep (wake it with POST /wake_up)` : `${id} is ${state}${detail}`;
    });
    throw new GatewayError("conflict", `The model ${model} is not loaded: ${why.join("; ")}.`, { param: "model" });
  };

  /** The replicas to gather on, when no weight sync holds them. The last look is in the same turn as the answer. */
  const passBarrier = async (request: CreateLease, model: string, signal: AbortSignal): Promise<readonly Replica[]> => {
    const parent = request.parent === undefined ? undefined : entries.get(request.parent);
    if (request.parent !== undefined && (parent === undefined || parent.ending !== null)) {
      throw invalidValue("parent", request.parent, "a lease that is held now");
    }
    const late = new AbortController();
    const timer = clock.timer(request.wait_s * 1000, () => late.abort());
    try {
      for (;;) {
        const replicas = await loaded(model, signal);
        const ids = replicas.map(({ id }) => id);
        const opened = parent === undefined ? barrier.opened(ids) : null;
        if (opened === null) return replicas;
        await orAborted(opened, AbortSignal.any([late.signal, signal]));
      }
    } catch (error) {
      if (!late.signal.aborted || signal.aborted) throw error;
      throw new GatewayError(
        "sync_in_progress",
        `A weight sync switches ${model}; it did not end within ${request.wait_s} s (wait_s).`,
        { retryAfter: 1 },
      );
    } finally {
      timer.cancel();
    }
  };

  const toRefusal = (thrown: unknown, model: string, replica: ReplicaId): unknown => {
    if (!(thrown instanceof GatewayError) || thrown.code !== "limit_exceeded") return thrown;
    const { missingBytes } = thrown.details;
    const missing = missingBytes === undefined ? "" : ` ${missingBytes} bytes are missing.`;
    return new GatewayError(
      "insufficient_memory",
      `The groups of ${model} do not fit into the memory of ${replica}:${missing} ${thrown.message}`,
      { replica, ...(missingBytes === undefined ? {} : { missingBytes }), cause: thrown },
    );
  };

  const gatherAll = async (entry: Entry, replicas: readonly Replica[], signal: AbortSignal): Promise<void> => {
    const { gather, model } = entry.view;
    if (gather === false) return;
    const groups = gather === true ? "all" : gather;
    const stop = new AbortController();
    const results = await Promise.allSettled(
      replicas.map(async (replica) => {
        const residency = residencies.of(replica);
        if (residency === undefined) return;
        const onLost = (reason: string): void => {
          entry.holds.delete(replica.id);
          entry.view = { ...entry.view, servers: entry.view.servers.filter((id) => id !== replica.id) };
          // Before it is granted, the one who asks is told instead.
          if (entry.granted && entry.holds.size === 0) void end(entry, "lost", `${replica.id}: ${reason}`);
        };
        try {
          const hold = await residency.hold(groups, onLost, AbortSignal.any([signal, stop.signal]));
          entry.holds.set(replica.id, hold);
        } catch (error) {
          // One that cannot is enough: the others need not finish.
          stop.abort(error);
          throw toRefusal(error, model, replica.id);
        }
      }),
    );
    const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    if (failures.length > 0) throw failures.find((error) => error instanceof GatewayError) ?? failures[0];
    const wanted = replicas.filter((replica) => residencies.of(replica) !== undefined);
    if (wanted.length > 0 && entry.holds.size === 0) {
      throw new GatewayError("replica_failed", `The workers of ${model} went down while they gathered.`);
    }
    entry.view = { ...entry.view, servers: [...entry.holds.keys()] };
  };

  const create: Gateway["leases"]["create"] = async (request, by, signal) => {
    if (stopping) throw new GatewayError("draining", "The gateway is shutting down.");
    if (active >= ACTIVE_LIMIT) {
      throw new GatewayError("too_many_requests", `${ACTIVE_LIMIT} generation leases are held already.`, {
        retryAfter: 1,
      });
    }
    const model = chooseModel(request.model);
    const replicas = await passBarrier(request, model, signal);
    const now = clock.now();
    const entry: Entry = {
      view: {
        id: `gl_${random.uuid()}` as LeaseId,
        model,
        state: "active",
        reason: null,
        gather: request.gather,
        ttl_s: request.ttl_s,
        parent: request.parent ?? null,
        created_at: iso(now),
        expires_at: iso(now + request.ttl_s * 1000),
        ended_at: null,
        created_by: by.actor,
        servers: [],
      },
      holds: new Map(),
      granted: false,
      changed: Promise.withResolvers<void>(),
      timer: null,
      ending: null,
    };
    active += 1;
    const revoked = new AbortController();
    barrier.entered(
      entry.view.id,
      replicas.map(({ id }) => id),
      (reason) => {
        revoked.abort(new GatewayError("sync_in_progress", `The lease was revoked: ${reason}.`));
        return entries.has(entry.view.id) ? end(entry, "revoked", reason) : Promise.resolve();
      },
    );
    const either = AbortSignal.any([signal, revoked.signal]);
    try {
      await gatherAll(entry, replicas, either);
      either.throwIfAborted();
    } catch (error) {
      await end(entry, "released", "it was never granted");
      throw error;
    }
    entry.granted = true;
    entries.set(entry.view.id, entry);
    arm(entry, request.ttl_s);
    return entry.view;
  };

  return {
    barrier: {
      ...barrier,
      async close(replicas, mode, reason, stopped) {
        const open = await barrier.close(replicas, mode, reason, stopped);
        if (mode !== "keep") return open;
        return () => {
          open();
          // What was switched under a lease is brought in again: a gather that is there already costs nothing.
          for (const id of replicas) {
            const replica = fleet.replica(id);
            const residency = replica === undefined ? undefined : residencies.of(replica);
            if (residency !== undefined && residency.holders > 0) void residency.regather();
          }
        };
      },
    },
    api: {
      create,
      get: (id) => find(id).view,
      list({ limit, after }) {
        const all = [...entries.values()].reverse().map(({ view }) => view);
        const at = after === undefined ? -1 : all.findIndex(({ id }) => id === after);
        if (after !== undefined && at < 0) throw invalidValue("after", after, "the id of a generation lease");
        return all.slice(at + 1, at + 1 + limit);
      },
      renew(id, ttl) {
        const entry = find(id);
        if (entry.ending !== null) {
          const { state, reason } = entry.view;
          throw new GatewayError(
            "conflict",
            `Lease ${id} has ended: ${state}${reason === null ? "" : ` (${reason})`}.`,
          );
        }
        arm(entry, ttl);
        publish(entry);
        return entry.view;
      },
      async release(id, signal) {
        const entry = find(id);
        await orAborted(end(entry, "released", null), signal);
        return entry.view;
      },
      follow(id, signal) {
        const entry = find(id);
        // At once and not in the generator: one that was never read would never run.
        const leave = (): void => void end(entry, "released", "its connection ended");
        if (signal.aborted) leave();
        else signal.addEventListener("abort", leave, { once: true });
        return changesOf(entry, signal);
      },
    },
    async stop() {
      stopping = true;
      const open = [...entries.values()].filter(({ ending }) => ending === null);
      await Promise.allSettled(open.map((entry) => end(entry, "revoked", "the gateway is shutting down")));
    },
  };
}

/** The present state, then every change; the last event says that it ended. */
async function* changesOf(entry: Entry, signal: AbortSignal): AsyncGenerator<LeaseEvent> {
  for (;;) {
    const { promise } = entry.changed;
    yield { type: "lease", lease: entry.view };
    if (entry.view.state !== "active" || signal.aborted) return;
    try {
      await orAborted(promise, signal);
    } catch {
      return;
    }
  }
}
