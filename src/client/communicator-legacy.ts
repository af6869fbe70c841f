/**
 * The trainer as the last rank of a group with `trl vllm-serve` (TRL 0.16 to 1.10, `trl/scripts/vllm_serve.py`), which hosts
 * the rendezvous and answers before anything happened: what went wrong there shows as a broadcast that does not end.
 */

import { ask, bounded } from "./communicator-http.ts";
import { toWeightSyncError } from "./communicator-step.ts";
import type { BroadcastOptions, Communicator, OpenContext } from "./communicator-types.ts";
import { type SourceTensor, sizeOf, toTorchName } from "./tensors.ts";

const GROUP = "trainer";
const DEFAULT_PORT = 51_216;
const DEFAULT_DEADLINE = 600;
/** TRL's header for "the rendezvous is over there"; a request header misused, but that is what its client reads. */
const RENDEZVOUS_HEADER = "x-forwarded-for";

/** Last rank: tells the server to open the group, then joins it. */
export async function openLegacyCommunicator(context: OpenContext, worldSize: number): Promise<Communicator> {
  const { connection, options, worker, signal, random } = context;
  // A fleet that waits for this very update is not healthy; only where the rendezvous is matters here.
  const health = await ask(connection, "/health/", { signal }).catch(() => null);
  const told = health?.headers.get(RENDEZVOUS_HEADER);
  const host = options.host ?? told ?? new URL(connection.baseUrl).hostname.replace(/^\[|\]$/g, "");
  const port = options.port ?? DEFAULT_PORT;
  const rank = worldSize - 1;
  // The server compares the id with those of its own GPUs, to refuse a shared one; ours is never equal.
  const body = { host: "0.0.0.0", port, world_size: worldSize, client_device_uuid: `tidegate-${random.uuid()}` };
  await ask(connection, "/init_communicator/", { body, signal });
  const { nccl } = await worker.call(
    "open",
    {
      group: GROUP,
      host,
      port,
      reach: null,
      rank,
      worldSize,
      barrier: options.barrier ?? "arrival",
      timeout: (options.deadline ?? 120) * 1000,
      libraries: { nccl: options.ncclLibrary ?? null, cudart: options.cudartLibrary ?? null },
    },
    { signal },
  );
  return new LegacyCommunicator(context, worldSize, nccl);
}

class LegacyCommunicator implements Communicator {
  readonly dialect = "trl";
  readonly rank: number;
  readonly worldSize: number;
  readonly ncclVersion: string;
  failed: Error | null = null;
  readonly #context: OpenContext;

  constructor(context: OpenContext, worldSize: number, ncclVersion: string) {
    this.#context = context;
    this.rank = worldSize - 1;
    this.worldSize = worldSize;
    this.ncclVersion = ncclVersion;
  }

  async broadcast(tensors: AsyncIterable<SourceTensor>, options: BroadcastOptions) {
    const { connection, worker } = this.#context;
    if (this.failed !== null) throw this.failed;
    const seconds = options.deadline ?? DEFAULT_DEADLINE;
    const signal = bounded(options.signal, seconds * 1000);
    const end = performance.now() + seconds * 1000;
    let sent = { tensors: 0, bytes: 0 };
    try {
      for await (const tensor of tensors) {
        const { name, dtype, shape } = tensor;
        const body = { name, dtype: `torch.${toTorchName(dtype, name)}`, shape };
        await ask(connection, "/update_named_param/", { body, signal });
        const timeout = Math.max(1, end - performance.now());
        const request = { group: GROUP, tensors: [{ name, dtype, shape }], packed: null, timeout };
        await worker.call("send", request, { signal, source: tensor.bytes() });
        await worker.call("barrier", { group: GROUP, timeout }, { signal });
        sent = { tensors: sent.tensors + 1, bytes: sent.bytes + sizeOf(tensor) };
        options.onProgress?.(sent);
      }
      // Also the one call that tells, behind a gateway, whether everything arrived.
      await ask(connection, "/reset_prefix_cache/", { body: null, signal });
      return sent;
    } catch (error) {
      const abort = options.signal?.aborted === true && error === options.signal.reason;
      const failure = abort ? error : toWeightSyncError(connection, "transfer", error);
      this.failed = failure instanceof Error ? failure : new Error(String(failure));
      await this.#leave();
      throw failure;
    }
  }

  async close(): Promise<void> {
    this.failed ??= new Error("The communicator was closed.");
    await this.#leave();
  }

  /** The server frees its side only when it is told. */
  async #leave(): Promise<void> {
    const { connection, worker } = this.#context;
    const signal = AbortSignal.timeout(5000);
    await ask(connection, "/close_communicator/", { body: null, signal }).catch(() => undefined);
    await worker.stop();
  }
}
