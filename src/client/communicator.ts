/**
 * The trainer's side of a weight group, as types, and the choice of the dialect. NCCL itself runs in a worker process, so
 * that a hang or a crash of native code never takes the trainer down; what is here speaks HTTP and frames.
 */
import { CommunicatorProcess } from "../communicator/process.ts";
import type { Ports } from "../ports.ts";
import { ask, bounded, type Peer } from "./communicator-http.ts";
import { openLegacyCommunicator } from "./communicator-legacy.ts";
import { openNativeCommunicator } from "./communicator-native.ts";
import { tell } from "./communicator-step.ts";
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

const DEFAULT_DEADLINE = 120;

/** The size of the servers' side, and who answered. */
async function findDialect(
  connection: Peer,
  wanted: "auto" | "native" | "trl",
  signal: AbortSignal,
): Promise<{ readonly dialect: "native" | "trl"; readonly serverRanks: number }> {
  const paths = [
    ["native", "/get_world_size"],
    ["trl", "/get_world_size/"],
    ["trl", "/get_tensor_parallel_size/"],
  ] as const;
  let failure: unknown;
  for (const [dialect, path] of paths) {
    if (wanted !== "auto" && wanted !== dialect) continue;
    try {
      const { json } = await ask(connection, path, { signal });
      const answer = (json ?? {}) as { world_size?: unknown; tensor_parallel_size?: unknown };
      const serverRanks = answer.world_size ?? answer.tensor_parallel_size;
      if (typeof serverRanks === "number" && Number.isInteger(serverRanks) && serverRanks > 0)
        return { dialect, serverRanks };
      failure = new Error(`${connection.baseUrl}${path} answered no number of ranks.`);
    } catch (error) {
      failure = error;
      if (signal.aborted) break;
    }
  }
  throw failure;
}

/**
 * Joins the servers' group as its trainer.
 *
 * @throws WeightSyncError with phase "init" or "rendezvous" and the server's or the worker's own words; nothing is left
 *   behind then, and a new group may be tried.
 */
export async function openCommunicator(
  connection: Peer,
  options: CommunicatorOptions,
  ports: Pick<Ports, "clock" | "random" | "spawn">,
): Promise<Communicator> {
  const signal = bounded(options.signal, (options.deadline ?? DEFAULT_DEADLINE) * 1000);
  const { spawn, clock, random } = ports;
  if (spawn === undefined) throw new TypeError("A communicator needs a runtime that can start processes.");
  const failed = tell(connection, "init", options.signal);
  const { dialect, serverRanks } = await findDialect(connection, options.dialect ?? "auto", signal).catch(failed);
  const worldSize = serverRanks + 1;
  if (options.worldSize !== undefined && options.worldSize !== worldSize) {
    return failed(
      new Error(
        `worldSize must be ${worldSize}: ${serverRanks} ranks of the servers plus this one; got ${options.worldSize}.`,
      ),
    );
  }
  const worker = new CommunicatorProcess({ spawn, clock });
  try {
    const context = { connection, options, worker, signal, random };
    return dialect === "native"
      ? await openNativeCommunicator(context, worldSize)
      : await openLegacyCommunicator(context, worldSize);
  } catch (error) {
    await worker.stop();
    return failed(error);
  }
}
