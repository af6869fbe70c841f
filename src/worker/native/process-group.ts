/**
 * vLLM's StatelessProcessGroup (`vllm/distributed/utils.py`, 0.8 to 0.32): small objects and barriers between the ranks of
 * a group, through a TCPStore that rank 0 hosts. Carries no tensors: those go over NCCL.
 */
import { GatewayError, invalidValue } from "../../errors.ts";
import { sleep } from "../../lib/deadline.ts";
import type { Clock, Random } from "../../ports.ts";
import { readPickle } from "./pickle-read.ts";
import type { PickleValue } from "./pickle-values.ts";
import { toPickle } from "./pickle-write.ts";
import { connectTcpStore, type TcpStoreClient } from "./tcp-store-client.ts";
import { type CallOptions, withDeadline } from "./tcp-store-deadline.ts";
import { listenTcpStore, type TcpStoreServer } from "./tcp-store-server.ts";

/**
 * How a barrier works: `arrival` since vLLM 0.9.0 (rank 0 names it, all announce arrival and departure), `broadcast` in
 * 0.8 and before (everyone broadcasts None in turn). All ranks must use the same; a mixture waits for keys that never come.
 */
export type BarrierKind = "arrival" | "broadcast";

/** `either`: rank 0 learns in the first barrier which of the two the others speak. */
export type BarrierChoice = BarrierKind | "either";

/** Settings of one rank. Times in milliseconds. */
export interface ProcessGroupOptions {
  /** Rank 0 listens on exactly this address, the others connect to it. */
  readonly host: string;
  readonly port: number;
  readonly rank: number;
  /** Ranks of the group, this one included. */
  readonly worldSize: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Default `arrival`. */
  readonly barrier?: BarrierChoice;
  /** Until all ranks have come, and the default of every later call. Default 60 000; vLLM's own is 300 000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Rank 0 only: a store that already listens, so that its address can be told before the others must come. Ours to close. */
  readonly server?: TcpStoreServer;
  /** Own entries older than this are deleted with the next send. Default one hour, as in vLLM. */
  readonly dataExpiration?: number;
}

const DEFAULT_TIMEOUT = 60_000;
const HOUR = 3_600_000;
/** Between two looks at a store of our own. */
const LOOK_PAUSE = 2;
/** More ranks than any group has; bounds the keys of one barrier. */
const LARGEST_WORLD = 4096;
/** `f"barrier_{uuid.uuid4()}"`. The text becomes part of keys, so nothing else is taken. */
const BARRIER_ID = /^barrier_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LISTENS_EVERYWHERE = new Set(["0.0.0.0", "::"]);
const HERE = new TextEncoder().encode("1");

const checkRank = (param: string, rank: number, worldSize: number): void => {
  if (!Number.isInteger(rank) || rank < 0 || rank >= worldSize) {
    throw invalidValue(param, rank, `an integer from 0 to ${worldSize - 1}`);
  }
};

/** One rank of a group. Calls must come in the same order on all ranks, as in vLLM. */
export class ProcessGroup {
  readonly rank: number;
  readonly worldSize: number;
  readonly #options: ProcessGroupOptions;
  readonly #store: TcpStoreClient;
  readonly #server: TcpStoreServer | undefined;
  /** Objects sent to each rank, received from each rank, broadcast by each rank (the own count included). */
  readonly #sent: number[];
  readonly #received: number[];
  readonly #broadcast: number[];
  #kind: BarrierChoice;
  readonly #entries: { readonly key: string; readonly at: number }[] = [];

  /** Use `joinProcessGroup`. */
  constructor(options: ProcessGroupOptions, store: TcpStoreClient, server: TcpStoreServer | undefined) {
    this.rank = options.rank;
    this.worldSize = options.worldSize;
    this.#options = options;
    this.#store = store;
    this.#server = server;
    this.#kind = options.barrier ?? "arrival";
    const zeros = () => new Array<number>(options.worldSize).fill(0);
    this.#sent = zeros();
    this.#received = zeros();
    this.#broadcast = zeros();
  }

  /** Aborts when the store is lost: the host of the group died, or this rank closed. Ends waits elsewhere (NCCL). */
  get lost(): AbortSignal {
    return this.#store.lost;
  }

  /** Rank 0: ranks that are connected now, itself included; undefined elsewhere. */
  get members(): number | undefined {
    return this.#server?.members;
  }

  /** The port of the store. */
  get port(): number {
    return this.#server?.port ?? this.#options.port;
  }

  /** Sends an object to one rank; does not wait for its arrival. */
  async sendObject(value: PickleValue, destination: number, call?: CallOptions): Promise<void> {
    checkRank("destination", destination, this.worldSize);
    await this.#put(`send_to/${destination}/${this.#sent[destination]!}`, value, call);
    this.#sent[destination]! += 1;
  }

  /** Waits for the next object that `source` sends to this rank. */
  async receiveObject(source: number, call?: CallOptions): Promise<PickleValue> {
    checkRank("source", source, this.worldSize);
    const value = await this.#take(`send_to/${this.rank}/${this.#received[source]!}`, call);
    this.#received[source]! += 1;
    return value;
  }

  /** The source's object, on every rank; the value given by the others is not looked at. */
  async broadcastObject(value: PickleValue, source: number, call?: CallOptions): Promise<PickleValue> {
    checkRank("source", source, this.worldSize);
    const key = `broadcast_from/${source}/${this.#broadcast[source]!}`;
    let result = value;
    if (source === this.rank) await this.#put(key, value, call);
    else result = await this.#take(key, call);
    this.#broadcast[source]! += 1;
    return result;
  }

  /** Every rank's object, in order of ranks. */
  async allGatherObjects(value: PickleValue, call?: CallOptions): Promise<PickleValue[]> {
    return await this.#within("all_gather_obj", call, async (bound) => {
      const gathered: PickleValue[] = [];
      for (let source = 0; source < this.worldSize; source += 1) {
        gathered.push(await this.broadcastObject(value, source, bound));
      }
      return gathered;
    });
  }

  /**
   * Resolves when every rank has called it. The deadline holds for the whole barrier.
   *
   * @throws GatewayError `deadline_exceeded` that names the ranks that did not come, where that can be known.
   */
  async barrier(call?: CallOptions): Promise<void> {
    if (this.#kind === "broadcast") await this.allGatherObjects(null, call);
    else await this.#within("barrier", call, (bound) => this.#arrivalBarrier(bound));
  }

  /** Leaves the group; rank 0 ends the store, and with it the group. Idempotent. */
  async close(): Promise<void> {
    await this.#store.close();
    await this.#server?.close();
  }

  async #arrivalBarrier(bound: CallOptions): Promise<void> {
    const own = this.rank === 0 ? `barrier_${this.#options.random.uuid()}` : null;
    const id = await this.broadcastObject(own, 0, bound);
    if (typeof id !== "string" || !BARRIER_ID.test(id)) {
      throw new GatewayError("sync_failed", "Process group: rank 0 sent something else than the name of a barrier.", {
        phase: "rendezvous",
      });
    }
    const keys = (phase: string) => Array.from({ length: this.worldSize }, (_, rank) => `${phase}_${id}_${rank}`);
    const [arrivals, departures] = [keys("arrival"), keys("departure")];
    await this.#store.set(arrivals[this.rank]!, HERE, bound);
    if (this.#kind === "either" && this.worldSize > 1) {
      this.#kind = await this.#findKind(arrivals[1]!, bound);
      if (this.#kind === "broadcast") {
        // The older peers took the name of the barrier for the None that they expected, and go on in turn.
        for (let source = 1; source < this.worldSize; source += 1) await this.broadcastObject(null, source, bound);
        await this.#store.deleteKey(arrivals[0]!, bound);
        return;
      }
    }
    await this.#awaitAll("reached the barrier", arrivals, bound);
    await this.#store.set(departures[this.rank]!, HERE, bound);
    if (this.rank !== 0) return;
    // Rank 0 may end the store right after a barrier, so it is the last to leave.
    await this.#awaitAll("left the barrier", departures, bound);
    for (const key of [...arrivals, ...departures]) await this.#store.deleteKey(key, bound);
  }

  /** What rank 1 writes next tells its generation. */
  async #findKind(arrival: string, bound: CallOptions): Promise<BarrierKind> {
    const turn = `broadcast_from/1/${this.#broadcast[1]!}`;
    for (;;) {
      if (await this.#store.check([arrival], bound)) return "arrival";
      if (await this.#store.check([turn], bound)) return "broadcast";
      await sleep(this.#options.clock, LOOK_PAUSE, bound.signal);
    }
  }

  /** Waits for one key per rank; on a timeout looks which are missing. */
  async #awaitAll(what: string, keys: readonly string[], bound: CallOptions): Promise<void> {
    try {
      await this.#store.wait(keys, bound);
    } catch (error) {
      if (this.#store.lost.aborted || !(error instanceof GatewayError) || error.code !== "deadline_exceeded")
        throw error;
      const missing: number[] = [];
      for (const [rank, key] of keys.entries()) {
        if (!(await this.#store.check([key], { timeout: 1000 }))) missing.push(rank);
      }
      const text = `Process group: ${missing.length} of ${keys.length} ranks have not ${what} in time: ${missing.join(", ")}.`;
      throw new GatewayError("deadline_exceeded", text, { phase: "rendezvous", cause: error });
    }
  }

  async #put(key: string, value: PickleValue, call?: CallOptions): Promise<void> {
    const { clock, dataExpiration = HOUR } = this.#options;
    const oldest = clock.monotonic() - dataExpiration;
    while (this.#entries[0] !== undefined && this.#entries[0].at < oldest) {
      await this.#store.deleteKey(this.#entries[0].key, call);
      this.#entries.shift();
    }
    await this.#store.set(key, toPickle(value), call);
    this.#entries.push({ key, at: clock.monotonic() });
  }

  async #take(key: string, call?: CallOptions): Promise<PickleValue> {
    return readPickle(await this.#store.get(key, call));
  }

  /** One deadline over many calls; inside it only the signal counts. */
  #within<T>(what: string, call: CallOptions | undefined, work: (bound: CallOptions) => Promise<T>): Promise<T> {
    const timeout = call?.timeout ?? this.#options.timeout ?? DEFAULT_TIMEOUT;
    const text = () => `Process group: ${what} of rank ${this.rank} did not end`;
    return withDeadline(this.#options.clock, { timeout, signal: call?.signal }, text, (signal) =>
      work({ timeout, signal }),
    );
  }
}

/** What cannot be, refused before anybody listens or connects. */
function check({ rank, worldSize, port, server, barrier }: ProcessGroupOptions): void {
  if (!Number.isInteger(worldSize) || worldSize < 1 || worldSize > LARGEST_WORLD) {
    throw invalidValue("worldSize", worldSize, `an integer from 1 to ${LARGEST_WORLD}`);
  }
  checkRank("rank", rank, worldSize);
  if (barrier === "either" && rank !== 0) throw invalidValue("barrier", barrier, "arrival or broadcast, but on rank 0");
  if (server !== undefined && rank !== 0) throw invalidValue("server", `rank ${rank}`, "given to rank 0 only");
  if (!Number.isInteger(port) || port < (rank === 0 ? 0 : 1) || port > 65_535) {
    throw invalidValue("port", port, "an integer from 1 to 65535 (rank 0: also 0)");
  }
}

/**
 * Becomes one rank of a group and waits until all are there. Rank 0 hosts the store; the others may come earlier.
 *
 * @throws GatewayError `invalid_value` (rank, world size, wildcard address to connect to), `conflict` (port in use, or more
 *   ranks than the group has), `deadline_exceeded` (how many came), `sync_failed` (what answers is no TCPStore).
 */
export async function joinProcessGroup(options: ProcessGroupOptions): Promise<ProcessGroup> {
  check(options);
  const { clock, host, rank, worldSize, timeout = DEFAULT_TIMEOUT, signal } = options;
  const end = clock.monotonic() + timeout;
  const left = (): CallOptions => ({ timeout: Math.max(0, end - clock.monotonic()), ...(signal && { signal }) });
  const server = rank === 0 ? (options.server ?? (await listenTcpStore(options))) : undefined;
  const target = server !== undefined && LISTENS_EVERYWHERE.has(host) ? (host === "::" ? "::1" : "127.0.0.1") : host;
  let store: TcpStoreClient | undefined;
  try {
    store = await connectTcpStore({ host: target, port: server?.port ?? options.port, clock, ...left() });
    await store.join(left());
    await server?.waitForMembers(worldSize, left());
    if (server !== undefined && server.members > worldSize) {
      const mend = "Another trainer uses this port, or the world size is wrong; choose another port.";
      const more = `Process group: ${server.members} ranks joined a group of ${worldSize}. ${mend}`;
      throw new GatewayError("conflict", more, { phase: "rendezvous" });
    }
    return new ProcessGroup(options, store, server);
  } catch (error) {
    await store?.close();
    await server?.close();
    throw error;
  }
}
