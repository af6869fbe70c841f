/** What the bridge for legacy TRL trainers offers, and what it needs. Types only; `bridge.ts` implements them. */
import type { Logger } from "../../observe/log.ts";
import type { Clock, Spawn } from "../../ports.ts";

/** Who calls. */
export interface BridgeCaller {
  readonly actor: string;
  readonly requestId: string;
}

interface BoundedCaller extends BridgeCaller {
  readonly signal: AbortSignal;
}

/** The servers' side: vLLM's weight-transfer routes over the whole fleet, as the trainer room offers them. */
export interface BridgeServers {
  worldSize(includeDp: boolean, signal: AbortSignal): Promise<number>;
  join(info: Readonly<Record<string, unknown>>, by: BoundedCaller): Promise<unknown>;
  start(checkpointFormat: boolean | undefined, by: BoundedCaller): Promise<unknown>;
  update(update: Readonly<Record<string, unknown>>, by: BoundedCaller): Promise<unknown>;
  finish(label: string | null, by: BoundedCaller): Promise<unknown>;
  leave(by: BoundedCaller): Promise<unknown>;
  /** An open update will not be finished: whoever may hold a part of it is fenced. */
  abandon(reason: string): void;
}

/** Settings. */
export interface BridgeOptions {
  readonly servers: BridgeServers;
  readonly spawn: Spawn;
  readonly clock: Clock;
  readonly log: Logger;
  /** The address of this machine that the servers' workers reach; undefined: that by which it reaches `reach`. */
  readonly host: string | undefined;
  /** One of the servers. */
  readonly reach: () => { readonly host: string; readonly port: number } | null;
  readonly libraries: { readonly nccl: string | null; readonly cudart: string | null };
  /** Until a group is formed, and for each tensor. */
  readonly timeoutMilliseconds: number;
}

/** A tensor as TRL announces it. */
export interface AnnouncedTensor {
  readonly name: string;
  /** "torch.bfloat16". */
  readonly dtype: string;
  readonly shape: readonly number[];
}

/**
 * TRL's four calls. They answer before the work is done, as `trl vllm-serve` does; but what goes wrong is thrown by the next
 * call, as often as one comes, until a new communicator is opened.
 */
export interface Bridge {
  /** Ranks of ours in the trainer's group. */
  readonly worldSize: 1;
  /** True between `init` and `close`. */
  readonly open: boolean;
  /** Resolves when the rendezvous listens; joining goes on. A communicator that is there is left first. */
  init(
    request: { readonly host: string; readonly port: number; readonly worldSize: number },
    by: BridgeCaller,
  ): Promise<void>;
  /** Resolves when the tensors are awaited; `batch`: one barrier after all of them. */
  update(tensors: readonly AnnouncedTensor[], batch: boolean, by: BridgeCaller): Promise<void>;
  /** Publishes what came since the last time; resolves when every server confirmed. False when nothing came. */
  finish(by: BridgeCaller, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}
