/**
 * Weights over NCCL: this gateway is rank 0 of a group with all ranks of one server (weight-transfer backend `nccl`), for
 * one sync, and broadcasts the set's tensors one by one, straight from their files. Who drives NCCL, in a process of its
 * own, comes from outside; nothing native is here. NCCL moves bytes and proves nothing of them: no digest.
 */
import { GatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Files } from "../../ports.ts";
import { TORCH_DTYPE } from "../../tensor/torch-dtype.ts";
import { openWeights, type Weights } from "../../tensor/weights.ts";
import type { WireTensor } from "../../worker/communicator-protocol.ts";
import type { CallOptions, TransferTarget, WeightSet } from "../engine.ts";
import type { WeightWay } from "./weight-way.ts";

/** Name of the backend in --weight-transfer-config. */
export const NCCL_BACKEND = "nccl";

/** A process of this machine that can be rank 0 of one group. Its group and process end together. */
export interface NcclRoot {
  /** Resolves when all ranks have joined. `onListening`: where the others are to come. */
  join(
    worldSize: number,
    options: CallOptions & { readonly onListening: (host: string, port: number) => void },
  ): Promise<void>;
  /** Broadcasts the tensors one by one; `bytes` are theirs, in order. */
  send(tensors: readonly WireTensor[], bytes: AsyncIterable<Uint8Array>, options: CallOptions): Promise<void>;
  /** Ends group and process, whatever they are doing. Idempotent, bounded, never rejects. */
  end(): Promise<void>;
}

/**
 * Starts one for the server at `url`, with NCCL, CUDA and a GPU at hand; `{ missing }` says why there is none on this
 * machine. Throws GatewayError where the process cannot be started or does not live.
 */
export type OpenNcclRoot = (url: string, options: CallOptions) => Promise<NcclRoot | { readonly missing: string }>;

/** What the way needs. */
export interface NcclWayOptions {
  readonly url: string;
  readonly root: NcclRoot;
  readonly files: Files;
  /** The server's routes. Not the trainer's view of them: what that agreed on is not ours. */
  readonly transfer: Pick<TransferTarget, "send" | "worldSize">;
  /** Loads the set when the group does not come about: nothing of the server's is touched by then. */
  readonly spare: WeightWay | undefined;
}

/** A server that cannot leave a group in this time has other troubles. */
const LEAVE_MILLISECONDS = 5000;

function toWire({ tensors }: Weights): WireTensor[] {
  return [...tensors].map(([name, { dtype, shape }]) => {
    if (TORCH_DTYPE[dtype] !== undefined) return { name, dtype, shape };
    const accepted = Object.keys(TORCH_DTYPE).join(", ");
    throw new GatewayError(
      "weights_dtype_mismatch",
      `Tensor ${name}: ${dtype} cannot be sent over NCCL; accepted: ${accepted}.`,
      { tensor: name },
    );
  });
}

async function* toBytes(weights: Weights): AsyncGenerator<Uint8Array> {
  for (const name of weights.tensors.keys()) yield* weights.chunks(name);
}

/** Both at once, since each waits for the other; the first failure ends both. Resolves or rejects with the signal at the latest. */
async function together(signal: AbortSignal, works: readonly ((both: AbortSignal) => Promise<void>)[]): Promise<void> {
  const either = new AbortController();
  const both = AbortSignal.any([signal, either.signal]);
  try {
    await Promise.all(works.map((work) => orAborted(work(both), both)));
  } catch (error) {
    either.abort(error);
    throw error;
  }
}

/** Creates the way for one set and one server; `release` must be called in the end. */
export function createNcclWay({ url, root, files, transfer, spare }: NcclWayOptions): WeightWay {
  let staged: WeightSet | null = null;
  /** The server has everything, and a group that it can leave. */
  let done = false;

  async function join(signal: AbortSignal): Promise<void> {
    const worldSize = (await transfer.worldSize(true, { signal })) + 1;
    let told: (place: { host: string; port: number }) => void = () => {};
    const listening = new Promise<{ host: string; port: number }>((resolve) => {
      told = resolve;
    });
    await together(signal, [
      (both) => root.join(worldSize, { signal: both, onListening: (host, port) => told({ host, port }) }),
      async (both) => {
        const { host, port } = await orAborted(listening, both);
        const info = { master_address: host, master_port: port, rank_offset: 1, world_size: worldSize };
        await transfer.send({ type: "join", info }, { signal: both });
      },
    ]);
  }

  /** An update that failed half way may still be open there: it is closed with what it has, all of which is overwritten next. */
  async function start(signal: AbortSignal): Promise<void> {
    const begin = () => transfer.send({ type: "start" }, { signal });
    try {
      await begin();
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === "conflict")) throw error;
      await transfer.send({ type: "finish", label: null }, { signal }).catch(() => undefined);
      signal.throwIfAborted();
      await begin();
    }
  }

  async function send(set: WeightSet, signal: AbortSignal): Promise<void> {
    const weights = await openWeights(files, set.files);
    try {
      const tensors = toWire(weights);
      await start(signal);
      const update = {
        names: tensors.map(({ name }) => name),
        dtype_names: tensors.map(({ dtype }) => TORCH_DTYPE[dtype]),
        shapes: tensors.map(({ shape }) => shape),
      };
      await together(signal, [
        (both) => root.send(tensors, toBytes(weights), { signal: both }),
        (both) => transfer.send({ type: "update", update }, { signal: both }),
      ]);
      // The label is given with that of every other way, behind the load.
      await transfer.send({ type: "finish", label: null }, { signal });
    } finally {
      await weights.close();
    }
  }

  return {
    async stage(_id, set, { onProgress }) {
      const weights = await openWeights(files, set.files);
      try {
        toWire(weights);
        const bytesTotal = [...weights.tensors.values()].reduce((all, { byteLength }) => all + byteLength, 0);
        staged = set;
        onProgress({ bytesDone: 0, bytesTotal });
        return null;
      } finally {
        await weights.close();
      }
    },
    async load(id, version, { signal }) {
      if (staged === null) throw new GatewayError("conflict", `Nothing is staged as ${id} for ${url}.`);
      const set = staged;
      try {
        await join(signal);
      } catch (error) {
        signal.throwIfAborted();
        const said = error instanceof Error ? error.message : String(error);
        const failed = new GatewayError(
          "replica_failed",
          `${url} and this gateway formed no NCCL group: ${said} NCCL takes no two ranks on one GPU: where both would use the same, name another one for the gateway with CUDA_VISIBLE_DEVICES, or none ("") to sync over a shared disk.`,
          { ...(error instanceof GatewayError ? error.details : {}), cause: error },
        );
        await root.end();
        if (spare === undefined) throw failed;
        try {
          await spare.stage(id, set, { signal, onProgress: () => undefined });
        } catch {
          signal.throwIfAborted();
          throw failed;
        }
        return await spare.load(id, version, { signal });
      }
      await send(set, signal);
      done = true;
    },
    async discard() {
      await root.end();
    },
    async release({ signal }) {
      await root.end();
      if (!done || signal.aborted) return;
      // Best effort: a server without the route, or in trouble, gets a new group with its next init.
      const limit = AbortSignal.any([signal, AbortSignal.timeout(LEAVE_MILLISECONDS)]);
      await transfer.send({ type: "leave" }, { signal: limit }).catch(() => undefined);
    },
  };
}
