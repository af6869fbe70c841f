/**
 * One replica as a mutable record. What the world sees as one state is kept as independent facts: `health` (can the
 * engine serve?), `hold` (do its weights forbid it?), `elsewhere` (does another gateway change them?) and `drained` (did
 * an operator take it out of rotation?), so that none can overwrite another: a sync that ends does not put a drained
 * replica back, nor does a restart.
 */
import type { ServerState } from "../contract/control/servers.ts";
import type { ReplicaId, WeightDigest, WeightVersion } from "../contract/ids.ts";
import type { Engine, EngineInfo } from "../engine/engine.ts";
import { Breaker } from "./breaker.ts";
import { hashText } from "./hash.ts";
import { PrefixTable } from "./policies/prefix-table.ts";
import type { Replica } from "./types.ts";

/** What supervision knows of the engine. */
export type Health = "starting" | "up" | "down";
/** Why a healthy replica must not serve. */
export type Hold = "syncing" | "quarantined" | "stopped";

/** The implementation behind `Replica`. Changed only by the fleet. */
export class ReplicaRecord implements Replica {
  readonly id: ReplicaId;
  readonly engine: Engine;
  readonly breaker = new Breaker();
  /** For rendezvous hashing. */
  readonly hash: number;
  state: ServerState = "starting";
  info: EngineInfo | null = null;
  /** Ids of `info.models`. */
  models: ReadonlySet<string> = new Set();
  weightVersion: WeightVersion | null = null;
  weightDigest: WeightDigest | null = null;
  inFlight = 0;
  weight = 1;
  /** What the weighted round-robin owes it. */
  credit = 0;
  readonly prefixes = new PrefixTable();
  /** See `FleetAdapters.lifeOf`. */
  life = 0;
  /** Changed by the adapter table. */
  readonly adapters = new Map<string, number>();
  lastError: string | null = null;
  #health: Health = "starting";
  #hold: Hold | null = null;
  #drained = false;
  #elsewhere: string | null = null;

  constructor(id: ReplicaId, engine: Engine) {
    this.id = id;
    this.engine = engine;
    this.hash = hashText(id);
  }

  get health(): Health {
    return this.#health;
  }

  get hold(): Hold | null {
    return this.#hold;
  }

  /** A state that ends without anybody's doing: a request may wait for it. */
  get recovering(): boolean {
    return this.state === "starting" || this.state === "syncing";
  }

  /** Why it takes no requests now; null when it does. */
  get reason(): string | null {
    if (this.state === "ready") return null;
    const why = this.state === "syncing" ? (this.#elsewhere ?? this.lastError) : this.lastError;
    return why === null ? this.state : `${this.state} (${why})`;
  }

  /** What another gateway does with it; null: nothing. */
  get elsewhere(): string | null {
    return this.#elsewhere;
  }

  setElsewhere(reason: string | null): void {
    this.#elsewhere = reason;
    this.#derive();
  }

  setHealth(health: Health, reason: string | null): void {
    if (health === "up" && this.#health !== "up") {
      this.breaker.reset();
      this.prefixes.clear();
    }
    this.#health = health;
    this.lastError = reason;
    this.#derive();
  }

  setHold(hold: Hold | null, reason: string | null): void {
    this.#hold = hold;
    if (reason !== null || this.#health === "up") this.lastError = reason;
    this.#derive();
  }

  setDrained(drained: boolean, reason: string | null): void {
    this.#drained = drained;
    if (reason !== null || this.#health === "up") this.lastError = reason;
    this.#derive();
  }

  setInfo(info: EngineInfo): void {
    this.info = info;
    this.models = new Set(info.models.map((model) => model.id));
    this.weightVersion = info.weightVersion;
    this.weightDigest = info.weightDigest;
  }

  /** An adapter that was unloaded is not one of its models any more. */
  dropModel(name: string): void {
    if (this.info === null || !this.info.models.some(({ id, parent }) => id === name && parent !== null)) return;
    const models = this.info.models.filter(({ id, parent }) => id !== name || parent === null);
    this.info = { ...this.info, models };
    this.models = new Set(models.map(({ id }) => id));
  }

  #derive(): void {
    if (this.#hold === "stopped") this.state = "stopped";
    else if (this.#health === "starting") this.state = "starting";
    else if (this.#health === "down") this.state = "unreachable";
    else if (this.#elsewhere !== null && this.#hold !== "quarantined") this.state = "syncing";
    else this.state = this.#hold ?? (this.#drained ? "draining" : "ready");
  }
}
