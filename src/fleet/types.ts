/** The fleet as the rooms above it (sync, gateway) see it. Implemented by `fleet.ts`. */
import type { ServerState } from "../contract/control/servers.ts";
import type { ReplicaId, WeightDigest, WeightVersion } from "../contract/ids.ts";
import type { Engine, EngineInfo } from "../engine/engine.ts";

/** One replica as it is now: a live view, its fields change. */
export interface Replica {
  readonly id: ReplicaId;
  readonly engine: Engine;
  readonly state: ServerState;
  readonly info: EngineInfo | null;
  readonly weightVersion: WeightVersion | null;
  readonly weightDigest: WeightDigest | null;
  /** Leases held now. */
  readonly inFlight: number;
  /** Its share under the policy `weighted`. */
  readonly weight: number;
  readonly lastError: string | null;
  /** LoRA adapters that the fleet loaded into it, and their versions. */
  readonly adapters: ReadonlyMap<string, number>;
}

/** Which replica a caller can use. */
export interface LeaseWishes {
  /** undefined = any model. An unknown one is `model_not_found`. */
  readonly model: string | undefined;
  readonly minVersion?: number;
  readonly exactVersion?: number;
  readonly maxLag?: number;
  /** How long to wait for a fresh enough replica before `version_unavailable`; 0 = not at all. */
  readonly waitMilliseconds: number;
  readonly sessionId?: string;
  /** Chained hashes of the prompt's first blocks, seeded by the model; for the policy `prefix`. */
  readonly prefix?: readonly number[];
  /** Replicas already tried by this request. */
  readonly exclude: ReadonlySet<string>;
  /** Not one that is kept away by its failures, also where nobody else is left. Default false. */
  readonly onlyAdmitted?: boolean;
  /** Only replicas whose engine passes. */
  readonly accepts?: (engine: Engine) => boolean;
  readonly signal: AbortSignal;
}

/** A LoRA adapter that the fleet serves. */
export interface AdapterFacts {
  readonly name: string;
  /** 1 for the first load of this name in this gateway; grows with every load, also after an unload. */
  readonly version: number;
  /** Where the servers read it. */
  readonly path: string;
  readonly is3d: boolean;
  /** Base model. */
  readonly parent: string | null;
}

/** The adapters of the fleet, and which replica holds what. */
export interface FleetAdapters {
  list(): readonly AdapterFacts[];
  get(name: string): AdapterFacts | undefined;
  /** What the next load of this name is called. */
  nextVersion(name: string): number;
  publish(facts: AdapterFacts): void;
  /** No longer served. */
  retract(name: string): void;
  heldBy(id: string, name: string): number | undefined;
  /** A number that changes when another process may answer there. */
  lifeOf(id: string): number;
  /** null: not there, or nobody knows which. Without effect where `life` is not the present one. */
  setHeld(id: string, name: string, version: number | null, life?: number): void;
  /** Requests that name it wait until every holder has called the returned function (idempotent). */
  hold(name: string): () => void;
  /** Resolves when no lease was taken for it; rejects with the signal's reason. */
  drained(name: string, signal: AbortSignal): Promise<void>;
}

/** The right to use one replica; ends with `release`, which is idempotent. */
export interface Lease {
  readonly replica: Replica;
  /** Of the adapter that was asked for; absent for a base model. */
  readonly adapterVersion?: number;
  /** `failed` counts against the breaker; a caller's own 4xx or disconnect does not. */
  release(outcome: "ok" | "failed"): void;
}

/** Which weights are published. */
export interface FleetFacts {
  readonly version: WeightVersion;
  readonly digest: WeightDigest | null;
}

/** The replicas, their leases and their weights. */
export interface FleetRegistry {
  /** Stable order: order of attachment. */
  replicas(): readonly Replica[];
  replica(id: string): Replica | undefined;
  /** Waits while the gate is closed or no replica is up but one is recovering; throws GatewayError otherwise. */
  acquire(wishes: LeaseWishes): Promise<Lease>;
  /** A lease where one is to be had at once, without a promise; undefined where `acquire` would wait or refuse. */
  acquireNow(wishes: LeaseWishes): Lease | undefined;
  /** The published weights: what a request without wishes gets. */
  published(): FleetFacts;
  publish(version: WeightVersion, digest: WeightDigest | null): void;
  readonly adapters: FleetAdapters;
  /** New leases wait. Counted: opens again when every closer has called the returned function (idempotent). */
  closeGate(): () => void;
  /** Resolves when no lease is held on these replicas; rejects with the signal's reason. */
  drained(ids: readonly ReplicaId[], signal: AbortSignal): Promise<void>;
  setState(id: ReplicaId, state: ServerState, reason: string | null): void;
  /** A null version: nobody knows what it holds; it gets no requests until that is known again. */
  setWeights(id: ReplicaId, version: WeightVersion | null, digest: WeightDigest | null): void;
  /** Called after any change of any replica or of the published weights. Returns the unsubscribe function. */
  subscribe(listener: (changed: ReplicaId | null) => void): () => void;
}
