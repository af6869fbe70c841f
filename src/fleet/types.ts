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

/** The right to use one replica; ends with `release`, which is idempotent. */
export interface Lease {
  readonly replica: Replica;
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
