/**
 * The trainer as rank 0 of a group with vLLM's workers (`vllm/entrypoints/rl/online`, 0.16 to 0.32), or with those behind a
 * gateway: init → start → update → finish, each update beside its broadcast. Forms per release as in vLLM's history:
 * before 0.21 no start and finish, before 0.28 `packed` in each update, since then in init.
 */

import { ask, bounded, type Peer } from "./communicator-http.ts";
import { abandonAfter, type NativeServer, readServer } from "./communicator-server.ts";
import { tell, together, toWeightSyncError } from "./communicator-step.ts";
import type { BroadcastOptions, Communicator, OpenContext } from "./communicator-types.ts";
import { bytesOf, type SourceTensor, sizeOf, toBatches, toTorchName } from "./tensors.ts";

/** The group's name in the worker. */
const GROUP = "trainer";
/** TRL's and vLLM's port. */
const DEFAULT_PORT = 51_216;
const DEFAULT_DEADLINE = 600;
/** vLLM's size of a packed run. */
const PACKED_BYTES = 2 ** 30;
/** Announced and sent at once; bounds what an iterable of tensors keeps in memory. */
const BATCH_BYTES = 256 * 2 ** 20;

const post = async (peer: Peer, path: string, body: unknown, signal: AbortSignal): Promise<void> => {
  await ask(peer, path, { body, signal });
};

/** Rank 0: hosts the store, tells the servers where it is, and joins with them. */
export async function openNativeCommunicator(context: OpenContext, worldSize: number): Promise<Communicator> {
  const { connection, options, worker, signal } = context;
  const server = await readServer(connection, signal);
  const packed = options.packed ?? true;
  const { hostname, port, protocol } = new URL(connection.baseUrl);
  const reach = {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (protocol === "https:" ? 443 : 80),
  };
  let told: (place: { host: string; port: number }) => void = () => {};
  const listening = new Promise<{ host: string; port: number }>((resolve) => {
    told = resolve;
  });
  const { nccl } = await together(
    signal,
    (both) =>
      worker.call(
        "open",
        {
          group: GROUP,
          host: options.host ?? null,
          port: options.port ?? DEFAULT_PORT,
          reach,
          rank: 0,
          worldSize,
          barrier: "arrival",
          timeout: (options.deadline ?? 120) * 1000,
          libraries: { nccl: options.ncclLibrary ?? null, cudart: options.cudartLibrary ?? null },
        },
        { signal: both, onListening: (host, port) => told({ host, port }) },
      ),
    async (both) => {
      const place = await abandonAfter(listening, both);
      const init_info = {
        master_address: place.host,
        master_port: place.port,
        rank_offset: 1,
        world_size: worldSize,
        ...(server.packedInInit && packed && { packed: true }),
      };
      await post(connection, "/init_weight_transfer_engine", { init_info }, both);
    },
  );
  return new NativeCommunicator(context, server, worldSize, nccl, packed);
}

class NativeCommunicator implements Communicator {
  readonly dialect = "native";
  readonly rank = 0;
  readonly worldSize: number;
  readonly ncclVersion: string;
  failed: Error | null = null;
  readonly #context: OpenContext;
  readonly #server: NativeServer;
  readonly #packed: boolean;

  constructor(context: OpenContext, server: NativeServer, worldSize: number, ncclVersion: string, packed: boolean) {
    this.#context = context;
    this.#server = server;
    this.worldSize = worldSize;
    this.ncclVersion = ncclVersion;
    this.#packed = packed;
  }

  async broadcast(tensors: AsyncIterable<SourceTensor>, options: BroadcastOptions) {
    const { connection } = this.#context;
    if (this.failed !== null) throw this.failed;
    const seconds = options.deadline ?? DEFAULT_DEADLINE;
    const signal = bounded(options.signal, seconds * 1000);
    const end = performance.now() + seconds * 1000;
    let phase = "start";
    try {
      await this.#begin(options.mode ?? "wait", signal);
      phase = "transfer";
      let sent = { tensors: 0, bytes: 0 };
      for await (const batch of toBatches(tensors, BATCH_BYTES)) {
        const before = sent;
        const onProgress = (through: { tensors: number; bytes: number }): void => {
          const now = { tensors: before.tensors + through.tensors, bytes: before.bytes + through.bytes };
          options.onProgress?.(now);
        };
        await this.#update(batch, signal, end, onProgress);
        sent = {
          tensors: sent.tensors + batch.length,
          bytes: batch.reduce((sum, tensor) => sum + sizeOf(tensor), sent.bytes),
        };
      }
      phase = "finish";
      await this.#end(options.version, signal);
      return sent;
    } catch (error) {
      // No finish and no resume: after a failed update the servers' weights are a mixture, and must not be served.
      const abort = options.signal?.aborted === true && error === options.signal.reason;
      const failure = abort ? error : toWeightSyncError(connection, phase, error);
      this.failed = failure instanceof Error ? failure : new Error(String(failure));
      await this.#context.worker.stop();
      throw failure;
    }
  }

  async close(): Promise<void> {
    this.failed ??= new Error("The communicator was closed.");
    await this.#context.worker.stop();
  }

  async #begin(mode: "abort" | "wait" | "keep", signal: AbortSignal): Promise<void> {
    const { connection } = this.#context;
    // A generation between start and finish would kill a plain vLLM server; a gateway holds them back by itself.
    if (!this.#server.gateway) await post(connection, `/pause?mode=${mode}`, null, signal);
    if (this.#server.startAndFinish) await post(connection, "/start_weight_update", {}, signal);
  }

  async #update(
    batch: readonly SourceTensor[],
    signal: AbortSignal,
    end: number,
    onProgress: (through: { tensors: number; bytes: number }) => void,
  ): Promise<void> {
    const { connection, worker } = this.#context;
    const tensors = batch.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
    const update_info = {
      names: tensors.map(({ name }) => name),
      dtype_names: tensors.map(({ name, dtype }) => toTorchName(dtype, name)),
      shapes: tensors.map(({ shape }) => shape),
      ...(this.#packed && !this.#server.packedInInit && { packed: true }),
    };
    const timeout = Math.max(1, end - performance.now());
    await together(
      signal,
      (both) =>
        worker.call(
          "send",
          { group: GROUP, tensors, packed: this.#packed ? PACKED_BYTES : null, timeout },
          { signal: both, source: bytesOf(batch), onProgress },
        ),
      (both) => post(connection, "/update_weights", { update_info }, both),
    );
  }

  async #end(version: number | undefined, signal: AbortSignal): Promise<void> {
    const { connection } = this.#context;
    const label = version === undefined || !this.#server.weightVersion ? {} : { weight_version: String(version) };
    if (this.#server.startAndFinish) await post(connection, "/finish_weight_update", label, signal);
    if (this.#server.gateway) return;
    // vLLM keeps prefixes of the old weights otherwise. Before 0.26 the answer has no body.
    await post(connection, "/reset_prefix_cache?reset_running_requests=true", null, signal);
    await post(connection, "/resume", null, signal).catch(tell(connection, "finish"));
  }
}
