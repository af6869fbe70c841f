/**
 * The trainer's side of a weight group, as types. NCCL itself runs in a worker process, so that a hang or a crash of native
 * code never takes the trainer down.
 */
import type { CommunicatorProcess } from "../communicator/process.ts";
import type { Ports } from "../ports.ts";
import type { Peer } from "./communicator-http.ts";
import type { SourceTensor } from "./tensors.ts";

/** How to join. Times in seconds. */
export interface CommunicatorOptions {
  /**
   * Native servers: the address of this machine that they reach; default: the one by which this machine reaches them.
   * `trl vllm-serve`: the address of the server; default: that of the base URL.
   */
  readonly host?: string;
  /** Of the rendezvous; default 51216 as in TRL. Native servers: 0 picks a free one. */
  readonly port?: number;
  /** Ranks of the servers plus this one; default: asked. Another number than the servers' is refused. */
  readonly worldSize?: number;
  /** Tensors in runs of bytes instead of one by one; default true. `trl vllm-serve` knows no packing. */
  readonly packed?: boolean;
  /** Default "auto": native where `/get_world_size` is there, else TRL's. */
  readonly dialect?: "auto" | "native" | "trl";
  /** The barrier of `trl vllm-serve`: "arrival" since vLLM 0.9 (default), "broadcast" before. */
  readonly barrier?: "arrival" | "broadcast";
  /** Until all ranks have joined; default 120. */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
  /** Path of libnccl; default: TIDEGATE_NCCL_LIBRARY, else the system's `libnccl.so.2`. */
  readonly ncclLibrary?: string;
  /** Path of the CUDA runtime; default: TIDEGATE_CUDART_LIBRARY, else the newest `libcudart.so`. */
  readonly cudartLibrary?: string;
}

/** How to send. */
export interface BroadcastOptions {
  /** Published with the update where the server can; a gateway refuses one that does not grow. */
  readonly version?: number;
  /** Seconds for the whole update; default 600. */
  readonly deadline?: number;
  /** What happens to generations in flight of a plain vLLM server; default "wait". A gateway decides by itself. */
  readonly mode?: "abort" | "wait" | "keep";
  readonly onProgress?: (through: { readonly tensors: number; readonly bytes: number }) => void;
  readonly signal?: AbortSignal;
}

/** One rank of a group. After a failure it is closed; a new one can be opened. */
export interface Communicator {
  readonly dialect: "native" | "trl";
  readonly rank: number;
  readonly worldSize: number;
  /** Of the libnccl that was loaded. */
  readonly ncclVersion: string;
  /** Why it can no longer be used; null while it can. */
  readonly failed: Error | null;
  /**
   * One update of the servers' weights, from start to finish. Resolves when all servers confirmed.
   *
   * @throws WeightSyncError with phase; the group is closed then.
   */
  broadcast(
    tensors: AsyncIterable<SourceTensor>,
    options: BroadcastOptions,
  ): Promise<{ readonly tensors: number; readonly bytes: number }>;
  /** Leaves the group and ends the worker. Never rejects. */
  close(): Promise<void>;
}

/** What the dialects share. */
export interface OpenContext {
  readonly connection: Peer;
  readonly options: CommunicatorOptions;
  readonly worker: CommunicatorProcess;
  readonly signal: AbortSignal;
  readonly random: Ports["random"];
}
