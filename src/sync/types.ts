/** What the sync room offers to the gateway. Types only; `syncs.ts` implements them. */
import type { FleetEvent } from "../contract/control/fleet.ts";
import type { DryRunResult, StartSync, WeightSync, WeightVersionRecord } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, SyncId } from "../contract/ids.ts";
import type { CurrentWeights, PauseMode } from "../engine/engine.ts";
import type { FleetRegistry } from "../fleet/types.ts";
import type { Logger } from "../observe/log.ts";
import type { Ports } from "../ports.ts";
import type { Claims } from "./idempotency.ts";
import type { SyncJournal, SyncTurn } from "./journal.ts";
import type { SyncState } from "./machine.ts";

export interface StartedBy {
  /** Name of the API key; for the history. */
  readonly actor: string;
  readonly requestId: string;
  readonly idempotencyKey?: string;
}

interface Page {
  readonly limit: number;
  readonly after?: string;
}

/** A sync that somebody outside drives: a trainer over vLLM's own routes. It has the one place of a running sync. */
export interface ExternalSync {
  readonly id: SyncId;
  setState(state: SyncState): void;
  /** Aborts when the right to change weights was lost. */
  readonly turn: SyncTurn;
  /** Resolves when it is written down that `replicas` serve this version; then it is the fleet's. */
  publish(
    version: WeightVersionRecord["version"],
    label: string | null,
    replicas: readonly ReplicaId[],
    state: SyncState,
  ): Promise<void>;
  /** The last change; resolves when it is written down and the place is free again. Never rejects. */
  finish(): Promise<void>;
}

/** `syncs` and `versions` are what the gateway interface shows; see `gateway-types.ts` for their promises. */
export interface Syncs {
  readonly syncs: {
    start(request: StartSync, by: StartedBy, upload?: ReadableStream<Uint8Array>): Promise<WeightSync>;
    get(id: string): WeightSync | undefined;
    list(page: Page): readonly WeightSync[];
    wait(id: string, milliseconds: number, signal: AbortSignal): Promise<WeightSync>;
    abort(id: string): Promise<WeightSync>;
    events(id: string, signal: AbortSignal): AsyncIterable<FleetEvent>;
    dryRun(request: StartSync, signal: AbortSignal): Promise<DryRunResult>;
  };
  readonly versions: {
    list(page: Page): readonly WeightVersionRecord[];
    get(version: number): WeightVersionRecord | undefined;
  };
  /** Loads the published weights into one replica, quarantined or not; see `CatchUp.refit`. */
  refit(id: ReplicaId, signal: AbortSignal): Promise<void>;
  /** Id of the sync that runs now, here or on another gateway. */
  active(): SyncId | null;
  /** Hears what other gateways have done. Throws `store_unavailable`. */
  refresh(): Promise<void>;
  /** Throws `sync_in_progress` while another sync runs, here or on another gateway. */
  beginExternal(request: StartSync, by: StartedBy, state: SyncState): Promise<ExternalSync>;
  /** What a worker that (re)starts must load before it serves. Reads nothing; safe at any time. */
  currentWeights(): CurrentWeights;
  /** See `SyncJournal.announced`. */
  announced(): ReadonlySet<string>;
  /** See `SyncJournal.announce`. */
  announce(names: Iterable<string>): Promise<void>;
  /** A server that was fenced before this gateway knew it: see `CatchUp.watchFenced`. */
  watchFenced(id: ReplicaId): void;
  /** Looks for replicas with other weights than the published ones. */
  check(): void;
  /** News of a sync that another gateway runs, or that was run before this one started. */
  follow(sync: WeightSync): void;
  /** A version that was published elsewhere or before the start. */
  learn(version: WeightVersionRecord): void;
  /**
   * The published version is made of these sets of the spool (ids, in order; empty: nothing is kept). Answers with why
   * they cannot be used, null when they can.
   */
  useSets(ids: readonly string[], removeOthers: boolean): Promise<string | null>;
  /** Call once, when the fleet serves: puts the weights it started with into the history, unless they are there. */
  recordStart(): WeightVersionRecord | null;
  /** Ends the running sync (a switch under way gets 5 s), then empties the spool. Never rejects. */
  stop(): Promise<void>;
}

/** Who else has a say before a switch: generation leases. */
export interface SwitchBarrier {
  /**
   * Resolves when nobody holds these replicas any more (`wait`, `abort`), or at once (`keep`). The returned function is
   * called when the switch is over. Rejects with the signal's reason, and then nothing is closed.
   */
  close(replicas: readonly ReplicaId[], mode: PauseMode, reason: string, signal: AbortSignal): Promise<() => void>;
}

export interface SyncsOptions {
  readonly fleet: FleetRegistry;
  readonly ports: Ports;
  readonly log: Logger;
  /** Absent: nobody. */
  readonly barrier?: SwitchBarrier;
  /** Where received weights are kept; required where `ports.files` is. */
  readonly spoolDir?: string;
  /** Default: nothing is written down, and every sync is the only one. */
  readonly journal?: SyncJournal;
  /** Idempotency keys beyond this process; default: none. */
  readonly claims?: Claims;
  /** See `createCompare`; default: nothing is compared. */
  readonly compare?: (ids: readonly ReplicaId[]) => Promise<ReadonlySet<ReplicaId>>;
  /** Every change of every sync, progress included (throttled); `by` is who started it. */
  readonly onChange?: (sync: WeightSync, by: StartedBy) => void;
}
