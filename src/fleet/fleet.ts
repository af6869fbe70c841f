/**
 * The replicas of this gateway: who is there, who may serve, who serves what. Wires the pieces of this room together;
 * knows engines only through their port, and no HTTP.
 */
import type { Fleet } from "../contract/control/fleet.ts";
import type { Server } from "../contract/control/servers.ts";
import { ReplicaId, type WeightVersion } from "../contract/ids.ts";
import type { Engine, EngineInfo, EngineKind } from "../engine/engine.ts";
import { GatewayError, invalidValue, toGatewayError } from "../errors.ts";
import type { Logger } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Ports } from "../ports.ts";
import { createAcquirer } from "./acquire.ts";
import { createAdapterTable } from "./adapters.ts";
import { createChoose, type PolicyName } from "./choose.ts";
import { createDrains } from "./drains.ts";
import { observeFleet } from "./observe.ts";
import { ReplicaRecord } from "./replica.ts";
import { type SnapshotFacts, toFleet, toServer, worldSize } from "./snapshot.ts";
import { createSupervisor, type Supervisor } from "./supervise.ts";
import type { FleetFacts, FleetRegistry, Lease, Replica } from "./types.ts";

/** The settings that this room reads; names as in the configuration, times in seconds. */
export interface FleetConfig {
  readonly policy: PolicyName;
  readonly startTimeout: number;
  readonly probeInterval: number;
}

/** What the fleet needs from outside. */
export interface FleetDependencies {
  readonly ports: Pick<Ports, "clock" | "random">;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly config: FleetConfig;
  /** Why nothing may be sent to any replica now; null when it may. Asked for every request. */
  readonly unheard?: () => string | null;
}

/** The registry that other rooms see, and what only the gateway does with it. */
export interface FleetManager extends FleetRegistry {
  /** `embedded-0`, `vllm-0`, …: a number is never given twice. */
  nextId(kind: EngineKind): ReplicaId;
  /**
   * Attaches and starts a replica. Resolves when it serves. Rejects with what the engine said; the replica then stays
   * in the fleet as `unreachable`, and one with a URL is tried again at every probe. Throws `conflict` for a known id.
   */
  addReplica(id: ReplicaId, engine: Engine, signal: AbortSignal, weight?: number): Promise<Replica>;
  /** Takes it out of rotation, lets its requests finish until the signal aborts, stops the engine, forgets it. */
  removeReplica(id: ReplicaId, signal: AbortSignal): Promise<void>;
  /** `draining` takes a replica out of rotation, `ready` puts it back (also out of quarantine). */
  patchReplica(id: string, state: "draining" | "ready"): Replica;
  /** Another gateway changes its weights (why), or does so no longer (null): independent of what this one does. */
  setElsewhere(id: string, reason: string | null): void;
  /** What `unheard` says may have changed. */
  wake(): void;
  /** Its share under the policy `weighted`. Throws `not_found`. */
  weighReplica(id: string, weight: number): void;
  /** Refuses new leases, lets running ones finish until the signal aborts, stops every engine. Never rejects. */
  stop(signal: AbortSignal): Promise<void>;
  snapshot(facts?: SnapshotFacts): Fleet;
  server(id: string): Server | undefined;
  worldSize(): number;
  /** Requests that wait for a replica. */
  readonly waiting: number;
}

/** Creates an empty fleet whose published weights are version 0. */
export function createFleet(dependencies: FleetDependencies): FleetManager {
  const { ports, log, metrics, config } = dependencies;
  const { clock, random } = ports;
  const replicas: ReplicaRecord[] = [];
  const supervisors = new Map<string, Supervisor>();
  const listeners = new Set<(changed: ReplicaId | null) => void>();
  const numbers = new Map<EngineKind, number>();
  let facts: FleetFacts = { version: 0 as WeightVersion, digest: null };
  let gates = 0;
  let stopped = false;

  const drains = createDrains();
  const adapters = createAdapterTable(replicas, (replica) => changed(replica?.id ?? null));
  const observed = observeFleet(metrics, replicas, () => acquirer.waiting, clock);
  const acquirer = createAcquirer({
    clock,
    replicas,
    choose: createChoose(config.policy, random),
    published: () => facts,
    gateClosed: () => gates > 0,
    stopped: () => stopped,
    adapters,
    unheard: dependencies.unheard ?? (() => null),
    lease,
  });

  function changed(id: ReplicaId | null): void {
    acquirer.wake();
    for (const listener of [...listeners]) listener(id);
  }

  function lease(replica: ReplicaRecord, model: string | undefined): Lease {
    replica.inFlight += 1;
    replica.breaker.onLease();
    const leave = adapters.use(replica, model);
    const adapterVersion = leave === undefined ? undefined : replica.adapters.get(model ?? "");
    let held = true;
    return {
      replica,
      ...(adapterVersion === undefined ? {} : { adapterVersion }),
      release(outcome) {
        if (!held) return;
        held = false;
        replica.inFlight -= 1;
        leave?.();
        if (outcome === "failed") fail(replica);
        else if (replica.breaker.onSuccess()) recover(replica);
        if (replica.inFlight === 0) drains.check();
      },
    };
  }

  function fail(replica: ReplicaRecord): void {
    const now = clock.monotonic();
    const others = replicas.some((other) => other !== replica && other.state === "ready" && other.breaker.admits(now));
    observed.failed(replica.id);
    if (!replica.breaker.onFailure(now, others, random.float())) return;
    replica.lastError = "several requests in a row failed on it";
    log.warn("replica gets no requests for a while", { replica: replica.id, reason: replica.lastError });
    changed(replica.id);
  }

  function recover(replica: ReplicaRecord): void {
    if (replica.state === "ready") replica.lastError = null;
    log.info("replica answers again", { replica: replica.id });
    changed(replica.id);
  }

  function find(id: string): ReplicaRecord {
    const found = replicas.find((replica) => replica.id === id);
    if (found === undefined) {
      const known = replicas.map((replica) => replica.id).join(", ") || "none";
      throw new GatewayError("not_found", `There is no server ${id}. Known: ${known}.`, { param: "id" });
    }
    return found;
  }

  function refuseWhileSyncing({ id, hold, elsewhere }: ReplicaRecord): void {
    if (hold !== "syncing" && elsewhere === null) return;
    throw new GatewayError("sync_in_progress", `A weight sync runs on ${id}. Wait for it or DELETE it.`, {
      replica: id,
    });
  }

  function onUp(replica: ReplicaRecord, info: EngineInfo): void {
    replica.setInfo(info);
    adapters.forget(replica);
    const digest = info.weightDigest;
    const proven = info.weightVersion === facts.version && digest !== null && digest === facts.digest;
    // A fenced replica that restarted with weights proven to be the published ones is clean again; any other is not.
    if (replica.hold === "quarantined" && proven && replica.health !== "up") replica.setHold(null, null);
    const kept = replica.hold === "quarantined" ? replica.lastError : null;
    replica.setHealth("up", kept);
    log.info("replica is up", { replica: replica.id, state: replica.state, weight_version: info.weightVersion });
    changed(replica.id);
  }

  function onDown(replica: ReplicaRecord, reason: string, recovering: boolean): void {
    const health = recovering ? "starting" : "down";
    const news = replica.health !== health || replica.lastError !== reason;
    replica.setHealth(health, reason);
    if (!news) return;
    log.warn("replica is down", { replica: replica.id, reason, recovering });
    changed(replica.id);
  }

  function forget(replica: ReplicaRecord): void {
    supervisors.get(replica.id)?.end();
    supervisors.delete(replica.id);
    const index = replicas.indexOf(replica);
    if (index >= 0) replicas.splice(index, 1);
    replica.setHold("stopped", null);
    observed.forget(replica.id);
    drains.check();
    changed(replica.id);
  }

  const registry: FleetManager = {
    replicas: () => replicas,
    replica: (id) => replicas.find((replica) => replica.id === id),
    adapters,
    acquire: acquirer.acquire,
    acquireNow: acquirer.acquireNow,
    published: () => facts,
    publish(version, digest) {
      // Two who publish at once (a gateway that was suspended, and the one that went on): the later version stays.
      if (version < facts.version) return;
      facts = { version, digest };
      log.info("weights published", { weight_version: version, weight_digest: digest });
      changed(null);
    },
    closeGate() {
      gates += 1;
      let closed = true;
      return () => {
        if (!closed) return;
        closed = false;
        gates -= 1;
        if (gates === 0) acquirer.wake();
      };
    },
    drained: (ids, signal) =>
      drains.wait(() => replicas.every((replica) => replica.inFlight === 0 || !ids.includes(replica.id)), signal),
    setState(id, state, reason) {
      // A replica that was detached meanwhile has no state any more.
      const replica = replicas.find((one) => one.id === id);
      if (replica === undefined) return;
      if (state === "starting") replica.setHealth("starting", reason);
      else if (state === "unreachable") replica.setHealth("down", reason);
      else if (state === "draining") replica.setDrained(true, reason);
      else replica.setHold(state === "ready" ? null : state, reason);
      changed(id);
    },
    setWeights(id, version, digest) {
      const replica = replicas.find((one) => one.id === id);
      if (replica === undefined) return;
      replica.weightVersion = version;
      replica.weightDigest = digest;
      replica.engine.noteWeights?.(version, digest);
      changed(id);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    nextId(kind) {
      let number = numbers.get(kind) ?? 0;
      while (replicas.some((replica) => replica.id === `${kind}-${number}`)) number += 1;
      numbers.set(kind, number + 1);
      return ReplicaId.parse(`${kind}-${number}`);
    },
    async addReplica(id, engine, signal, weight = 1) {
      if (stopped) throw new GatewayError("draining", "The gateway is shutting down.");
      if (replicas.some((replica) => replica.id === id)) {
        throw new GatewayError("conflict", `A server with the id ${id} is there already.`, { param: "id" });
      }
      const replica = new ReplicaRecord(id, engine);
      replica.weight = weight;
      const supervisor = createSupervisor(engine, {
        clock,
        random,
        startTimeoutMs: config.startTimeout * 1000,
        probeIntervalMs: config.probeInterval * 1000,
        onUp: (info) => onUp(replica, info),
        onDown: (reason, recovering) => onDown(replica, reason, recovering),
      });
      replicas.push(replica);
      supervisors.set(id, supervisor);
      changed(id);
      await supervisor.start(signal);
      return replica;
    },
    async removeReplica(id, signal) {
      const replica = find(id);
      refuseWhileSyncing(replica);
      replica.setDrained(true, "it is being detached");
      changed(id);
      await registry.drained([replica.id], signal).catch(() => undefined);
      forget(replica);
      await replica.engine.stop({ signal });
    },
    patchReplica(id, state) {
      const replica = find(id);
      refuseWhileSyncing(replica);
      if (replica.hold === "stopped") throw invalidValue("id", id, "a server that is not stopped");
      if (state === "ready") replica.setHold(null, null);
      replica.setDrained(state === "draining", null);
      changed(replica.id);
      return replica;
    },
    setElsewhere(id, reason) {
      const replica = replicas.find((one) => one.id === id);
      if (replica === undefined || replica.elsewhere === reason) return;
      replica.setElsewhere(reason);
      changed(replica.id);
    },
    wake: () => acquirer.wake(),
    weighReplica(id, weight) {
      const replica = find(id);
      replica.weight = weight;
      changed(replica.id);
    },
    async stop(signal) {
      stopped = true;
      acquirer.wake();
      const all = () => replicas.every((replica) => replica.inFlight === 0);
      await drains.wait(all, signal).catch(() => undefined);
      for (const supervisor of supervisors.values()) supervisor.end();
      supervisors.clear();
      const stopOne = async (replica: ReplicaRecord): Promise<void> => {
        try {
          await replica.engine.stop({ signal });
        } catch (error) {
          log.error("replica did not stop cleanly", { replica: replica.id, reason: toGatewayError(error).message });
        }
        replica.setHold("stopped", null);
        changed(replica.id);
      };
      await Promise.all(replicas.map(stopOne));
    },
    snapshot: (extra = {}) => toFleet(replicas, facts, extra),
    server(id) {
      const found = replicas.find((replica) => replica.id === id);
      return found === undefined ? undefined : toServer(found);
    },
    worldSize: () => worldSize(replicas),
    get waiting() {
      return acquirer.waiting;
    },
  };
  return registry;
}
