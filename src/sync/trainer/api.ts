/** What the trainer room offers to the gateway, and what it needs. Types only; `session.ts` implements them. */
import type { ReplicaId } from "../../contract/ids.ts";
import type { PauseMode } from "../../engine/engine.ts";
import type { FleetRegistry } from "../../fleet/types.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock, Ports, Random } from "../../ports.ts";
import type { Syncs } from "../types.ts";

/** Who calls, and until when. */
export interface TrainerCaller {
  readonly actor: string;
  readonly requestId: string;
  /** Aborts when the deadline of the call has passed, or its client left. */
  readonly signal: AbortSignal;
}

/** One server's share of an answer. */
export interface TrainerServerResult {
  readonly id: ReplicaId;
  readonly rank_offset?: number;
  readonly world_size?: number;
}

/** All servers confirmed. */
export interface TrainerResult {
  readonly servers: readonly TrainerServerResult[];
  /** Set by a finish that published: the fleet's version, and the label that the servers carry. */
  readonly published?: { readonly version: number; readonly label: string; readonly sync: string };
}

/** vLLM's weight-transfer routes over the whole fleet. Every method throws GatewayError, never with 500, 502 or 503. */
export interface TrainerSessions {
  /** Ranks of all servers that could join now. */
  worldSize(includeDp: boolean, signal: AbortSignal): Promise<number>;
  join(info: Readonly<Record<string, unknown>>, caller: TrainerCaller): Promise<TrainerResult>;
  start(checkpointFormat: boolean | undefined, caller: TrainerCaller): Promise<TrainerResult>;
  update(update: Readonly<Record<string, unknown>> | readonly unknown[], caller: TrainerCaller): Promise<TrainerResult>;
  finish(label: string | null, caller: TrainerCaller): Promise<TrainerResult>;
  leave(caller: TrainerCaller): Promise<TrainerResult>;
  /** An open update will not be finished: whoever may hold a part of it is fenced. Nothing where none is open. */
  abandon(reason: string): void;
  /** The trainer paused the fleet itself (`mode`; `cleared`: prefix caches were emptied, default true), or resumed it (null). */
  setPaused(mode: PauseMode | null, cleared?: boolean): void;
  /** Throws `conflict` while servers may hold half an update: `call` would wake them. */
  refuseInWindow(call: string): void;
  /** True for a server that this room keeps from traffic. */
  isFenced(id: string): boolean;
  /** Proves what a fenced server holds and lets it serve. Throws `conflict` with what would help when there is no proof. */
  refit(id: ReplicaId, signal: AbortSignal): Promise<void>;
  /** Ends timers and what still runs. */
  stop(): void;
}

export interface TrainerOptions {
  readonly fleet: FleetRegistry;
  readonly syncs: Pick<Syncs, "active" | "announce" | "announced" | "beginExternal" | "refit" | "refresh">;
  readonly clock: Clock;
  readonly random: Pick<Random, "uuid">;
  readonly log: Logger;
  /** True for a server that a gateway before this one left in the middle of an update: paused, its update open. Default: none. */
  readonly leftOpen?: (id: ReplicaId) => boolean;
  /** How long one call may take on the servers, and how long a trainer may be silent in an open update. */
  readonly timeoutMilliseconds: number;
  /** Looks a trainer's host name up; absent where the runtime cannot. */
  readonly resolve?: Ports["resolve"] | undefined;
  /** What happens to running generations when the trainer sends no pause. */
  readonly mode: PauseMode;
}
