/** One rank of one group: rendezvous, NCCL, and what travels over them. Knows nothing of pipes. */
import { connect } from "node:net";
import { GatewayError, invalidValue } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Clock, Random, Timer } from "../../ports.ts";
import { type Dtype, tensorBytes } from "../../tensor/dtype.ts";
import type { OpenGroup, WireTensor } from "../communicator-protocol.ts";
import { createNcclCommunicator, type NcclCommunicator } from "../native/nccl-communicator.ts";
import type { NcclLibrary } from "../native/nccl-library.ts";
import { toRuns } from "../native/nccl-weights.ts";
import { NcclUniqueId } from "../native/pickle-values.ts";
import { joinProcessGroup, type ProcessGroup } from "../native/process-group.ts";
import { withDeadline } from "../native/tcp-store-deadline.ts";
import { listenTcpStore } from "../native/tcp-store-server.ts";

/** How long one step may take, and what ends it before. */
export interface StepOptions {
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** What is through so far. */
export interface Through {
  readonly tensors: number;
  readonly bytes: number;
}

/** What a group needs of its process. */
export interface GroupEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly library: NcclLibrary;
}

/** How often rank 0 looks whether a member died: NCCL alone would only notice at the deadline. */
const WATCH_PAUSE = 250;

const WILDCARDS = new Set(["0.0.0.0", "::"]);

/** The address of this machine on the way to `host`. */
function ownAddress({ host, port }: { readonly host: string; readonly port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.once("error", reject);
    socket.once("connect", () => {
      resolve(socket.localAddress ?? "127.0.0.1");
      socket.destroy();
    });
  });
}

function sizeOf({ name, dtype, shape }: WireTensor): number {
  const bytes = tensorBytes(dtype, shape);
  if (bytes === undefined) throw invalidValue(`shape of ${name}`, shape, `a whole number of ${dtype} bytes`);
  return bytes;
}

/** A member of a group. Calls must come in the same order on all ranks. */
export class Group {
  readonly #processes: ProcessGroup;
  readonly #communicator: NcclCommunicator;
  readonly #clock: Clock;
  readonly #left = new AbortController();
  #timer: Timer | undefined;

  /** Use `openGroup`. */
  constructor(processes: ProcessGroup, communicator: NcclCommunicator, clock: Clock) {
    this.#processes = processes;
    this.#communicator = communicator;
    this.#clock = clock;
    const { lost } = processes;
    lost.addEventListener("abort", () => this.#left.abort(lost.reason), { once: true });
    this.#look();
  }

  /** Aborts when a member left or the store is lost, whoever notices first; also by `close`. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  /** Broadcasts tensors whose bytes `take` gives in order. */
  async send(
    tensors: readonly WireTensor[],
    packed: number | null,
    take: (bytes: number) => AsyncIterable<Uint8Array>,
    step: StepOptions,
    onProgress: (through: Through) => void,
  ): Promise<Through> {
    return await this.#runs(tensors, packed, onProgress, (bytes, dtype) =>
      this.#watched(step, (call) => this.#communicator.sendFrom(bytes, take(bytes), dtype, call)),
    );
  }

  /** Receives tensors from `root` and gives their bytes to `give`, in order, in pieces valid during the call only. */
  async receive(
    tensors: readonly WireTensor[],
    packed: number | null,
    root: number,
    give: (piece: Uint8Array) => Promise<void>,
    step: StepOptions,
    onProgress: (through: Through) => void,
  ): Promise<Through> {
    return await this.#runs(tensors, packed, onProgress, (bytes, dtype) =>
      this.#watched(step, (call) => this.#communicator.receiveTo(bytes, dtype, root, give, call)),
    );
  }

  /** Receives one tensor and keeps it on the device. */
  async hold(tensor: WireTensor, root: number, step: StepOptions): Promise<void> {
    await this.#watched(step, (call) => this.#communicator.hold(sizeOf(tensor), tensor.dtype, root, call));
  }

  /** Broadcasts what `other` holds. */
  async pass(other: Group, tensor: WireTensor, step: StepOptions): Promise<void> {
    await this.#watched(step, (call) =>
      this.#communicator.sendHeld(other.#communicator, sizeOf(tensor), tensor.dtype, call),
    );
  }

  /** All ranks. */
  async barrier(step: StepOptions): Promise<void> {
    await this.#watched(step, (call) => this.#processes.barrier(call));
  }

  /** Local and idempotent: the communicator is aborted, the store left or ended. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#communicator.close();
    await this.#processes.close();
  }

  async #runs(
    tensors: readonly WireTensor[],
    packed: number | null,
    onProgress: (through: Through) => void,
    move: (bytes: number, dtype: Dtype) => Promise<void>,
  ): Promise<Through> {
    let through: Through = { tensors: 0, bytes: 0 };
    for await (const run of toRuns(tensors, packed ?? -1)) {
      const bytes = run.reduce((sum, tensor) => sum + sizeOf(tensor), 0);
      await move(bytes, packed === null ? run[0]!.dtype : "U8");
      through = { tensors: through.tensors + run.length, bytes: through.bytes + bytes };
      onProgress(through);
    }
    return through;
  }

  /** Ends a step early when the store is lost or a member left it. */
  #watched<T>({ timeout, signal }: StepOptions, work: (call: StepOptions) => Promise<T>): Promise<T> {
    return work({ timeout, signal: AbortSignal.any([signal, this.#left.signal]) });
  }

  #look(): void {
    const { members, worldSize } = this.#processes;
    if (members !== undefined && members < worldSize) {
      const text = `${worldSize - members} of ${worldSize} ranks left the group.`;
      this.#left.abort(new GatewayError("sync_failed", text, { phase: "transfer" }));
    } else this.#timer = this.#clock.timer(WATCH_PAUSE, () => this.#look());
  }
}

/**
 * Joins. `onListening` is told, on rank 0, where the store is.
 *
 * @throws GatewayError of `joinProcessGroup` and `createNcclCommunicator`; nothing is left behind then.
 */
export async function openGroup(
  request: OpenGroup,
  { clock, random, library }: GroupEnvironment,
  signal: AbortSignal,
  onListening: (host: string, port: number) => void,
): Promise<Group> {
  const { rank, worldSize, port, barrier, timeout } = request;
  const waited = () => `Rank ${rank} of ${worldSize}: the group did not form`;
  return await withDeadline(clock, { timeout, signal, phase: "rendezvous" }, waited, async (bounded) => {
    const needed = request.host === null || (rank === 0 && WILDCARDS.has(request.host));
    const found = needed && request.reach !== null ? await orAborted(ownAddress(request.reach), bounded) : null;
    const host = request.host ?? found;
    if (host === null) throw invalidValue("host", null, "an address of this machine that all ranks reach");
    const call = { timeout, signal: bounded };
    const server = rank === 0 ? await listenTcpStore({ host, port, clock }) : undefined;
    if (server !== undefined) onListening(found ?? host, server.port);
    const place = { host, port: server?.port ?? port, rank, worldSize, barrier, clock, random, ...call };
    const processes = await joinProcessGroup({ ...place, ...(server !== undefined && { server }) });
    try {
      const own = rank === 0 ? await library.createUniqueId() : null;
      const uniqueId = await processes.broadcastObject(own, 0, call);
      if (!(uniqueId instanceof NcclUniqueId)) {
        throw new GatewayError("sync_failed", "Rank 0 sent something else than an NCCL id.", { phase: "rendezvous" });
      }
      const both = AbortSignal.any([bounded, processes.lost]);
      const joined = { library, rank, worldSize, uniqueId, clock, timeout, signal: both };
      return new Group(processes, await createNcclCommunicator(joined), clock);
    } catch (error) {
      await processes.close();
      throw error;
    }
  });
}
