/**
 * The bridge for legacy TRL trainers (0.16 to 1.10) in front of native vLLM servers: one worker process is rank 0 of the
 * trainer's group, whose last rank sends, and rank 0 of the servers' group, which sends there. Each tensor goes from one to
 * the other on the device, one at a time; the trainer's barrier keeps it from running ahead.
 *
 * Order per tensor: receive, barrier, then the servers' update beside the broadcast. No server waits for a trainer that
 * may never send.
 */
import { CommunicatorProcess } from "../../communicator/process.ts";
import { GatewayError, invalidValue, toGatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import { tensorBytes } from "../../tensor/dtype.ts";
import { parseTorchDtype, TORCH_DTYPE } from "../../tensor/torch-dtype.ts";
import type { WireTensor } from "../../worker/communicator-protocol.ts";
import type { AnnouncedTensor, Bridge, BridgeCaller, BridgeOptions } from "./types.ts";

const TRAINER = "trainer";
const SERVERS = "servers";
/** Our rank in both groups, and the trainer's in its own. */
const OWN_RANK = 0;
const TRAINER_RANK = 1;
const TRAINER_WORLD = 2;

/** One open communicator, from `init` to `close`. */
interface Session {
  readonly worker: CommunicatorProcess;
  /** Ends everything of this session. */
  readonly life: AbortController;
  readonly by: BridgeCaller;
  /** What is queued runs one after another; never rejects. */
  work: Promise<void>;
  /** Names of the open update; empty = none is open. */
  names: Set<string>;
  /** What was queued last and has not been received; a repeated POST is known by it. */
  awaited: string | null;
  failure: GatewayError | null;
}

function toWire({ name, dtype: text, shape }: AnnouncedTensor): WireTensor {
  const dtype = parseTorchDtype(text);
  if (dtype === undefined || TORCH_DTYPE[dtype] === undefined) {
    const accepted = Object.values(TORCH_DTYPE).map((known) => `torch.${known}`);
    throw invalidValue("dtype", text, `one of ${accepted.join(", ")}`);
  }
  if (tensorBytes(dtype, shape) === undefined) throw invalidValue("shape", shape, "sizes whose product fits");
  return { name, dtype, shape };
}

/** Creates the bridge; no process runs before `init`. */
export function createBridge(options: BridgeOptions): Bridge {
  const { servers, log, libraries, timeoutMilliseconds: timeout } = options;
  let session: Session | null = null;

  const bounded = (own: Session) => ({ ...own.by, signal: own.life.signal });

  function fail(own: Session, thrown: unknown): void {
    if (own.failure !== null || own.life.signal.aborted) return;
    const error = toGatewayError(thrown);
    own.failure = new GatewayError(
      error.code === "internal" || error.status >= 500 ? "sync_failed" : error.code,
      `The weight update through the bridge failed: ${error.message} Open the communicator again and send all parameters.`,
      { ...error.details, cause: thrown },
    );
    log.error("bridge failed", { reason: error.message, phase: error.details.phase ?? null });
    if (own.names.size > 0) servers.abandon(error.message);
    own.names = new Set();
  }

  /** The open session, in which nothing has failed. */
  function current(): Session {
    if (session === null) {
      throw new GatewayError("conflict", "There is no communicator: call /init_communicator/ first.");
    }
    if (session.failure !== null) throw session.failure;
    return session;
  }

  async function joinServers(own: Session): Promise<void> {
    const { signal } = own.life;
    const ranks = await servers.worldSize(true, signal);
    const worldSize = ranks + 1;
    let told: (place: { host: string; port: number }) => void = () => {};
    const listening = new Promise<{ host: string; port: number }>((resolve) => {
      told = resolve;
    });
    const either = new AbortController();
    const both = AbortSignal.any([signal, either.signal]);
    const open = own.worker.call(
      "open",
      {
        group: SERVERS,
        host: options.host ?? null,
        port: 0,
        reach: options.reach(),
        rank: OWN_RANK,
        worldSize,
        barrier: "arrival",
        timeout,
        libraries,
      },
      { signal: both, onListening: (host, port) => told({ host, port }) },
    );
    const join = async (): Promise<void> => {
      const { host, port } = await orAborted(listening, both);
      const info = { master_address: host, master_port: port, rank_offset: 1, world_size: worldSize };
      await servers.join(info, { ...own.by, signal: both });
    };
    try {
      await Promise.all([open, join()]);
    } catch (error) {
      either.abort(error);
      await open.catch(() => undefined);
      throw error;
    }
  }

  /** One tensor from the trainer to the device; a barrier when the trainer expects one now. */
  async function receive(own: Session, tensor: WireTensor, barrier: boolean): Promise<void> {
    const { signal } = own.life;
    await own.worker.call("hold", { group: TRAINER, root: TRAINER_RANK, tensor, timeout }, { signal });
    own.awaited = null;
    if (barrier) await own.worker.call("barrier", { group: TRAINER, timeout }, { signal });
  }

  async function passOn(own: Session, tensor: WireTensor): Promise<void> {
    const { name, dtype, shape } = tensor;
    const either = new AbortController();
    const signal = AbortSignal.any([own.life.signal, either.signal]);
    const pass = own.worker.call("pass", { group: SERVERS, from: TRAINER, tensor, timeout }, { signal });
    const info = { names: [name], dtype_names: [TORCH_DTYPE[dtype]], shapes: [shape] };
    try {
      await Promise.all([servers.update(info, { ...own.by, signal }), pass]);
    } catch (error) {
      // The servers' broadcast has no other end than this.
      either.abort(error);
      await pass.catch(() => undefined);
      throw error;
    }
  }

  async function transfer(own: Session, tensors: readonly WireTensor[], batch: boolean): Promise<void> {
    for (const [index, tensor] of tensors.entries()) {
      const barrier = !batch || index === tensors.length - 1;
      const starting =
        own.failure === null && own.names.size === 0
          ? servers.start(undefined, bounded(own)).catch((error: unknown) => fail(own, error))
          : Promise.resolve();
      if (own.failure === null) own.names.add(tensor.name);
      await Promise.all([receive(own, tensor, barrier), starting]);
      // A trainer that has begun to send is let through to its next call, which then hears what broke.
      if (own.failure !== null) continue;
      await passOn(own, tensor).catch((error: unknown) => fail(own, error));
    }
  }

  function queue(own: Session, work: () => Promise<void>): Promise<void> {
    own.work = own.work.then(work).catch((error: unknown) => fail(own, error));
    return own.work;
  }

  async function publish(own: Session): Promise<void> {
    await servers.finish(null, bounded(own));
    own.names = new Set();
  }

  async function close(): Promise<void> {
    const own = session;
    session = null;
    if (own === null) return;
    if (own.names.size > 0) fail(own, new GatewayError("conflict", "The trainer left in the middle of an update."));
    own.life.abort(new GatewayError("conflict", "The communicator was closed."));
    await own.worker.stop();
    const limit = AbortSignal.timeout(Math.min(timeout, 10_000));
    await servers.leave({ ...own.by, signal: limit }).catch((error: unknown) => {
      log.warn("servers did not leave the bridge's group", { reason: toGatewayError(error).message });
    });
  }

  return {
    worldSize: 1,
    get open() {
      return session !== null;
    },
    async init({ host, port, worldSize }, by) {
      if (worldSize !== TRAINER_WORLD) {
        const accepted = `${TRAINER_WORLD}: this gateway receives as one rank, the trainer is the other; ask /get_world_size/ again`;
        throw invalidValue("world_size", worldSize, accepted);
      }
      // A trainer that was restarted comes without having left.
      await close();
      const own: Session = {
        worker: new CommunicatorProcess(options, (group, error) => {
          // Only NCCL and its store know of a trainer that died: over HTTP it just says nothing more.
          if (group === TRAINER && session === own && own.names.size > 0) fail(own, error);
        }),
        life: new AbortController(),
        by,
        work: Promise.resolve(),
        names: new Set(),
        awaited: null,
        failure: null,
      };
      session = own;
      void own.worker.ended.then((gone) => {
        if (session === own) fail(own, gone);
      });
      const { signal } = own.life;
      let listens: () => void = () => {};
      const listening = new Promise<void>((resolve) => {
        listens = resolve;
      });
      const place = { host, port, reach: null, rank: OWN_RANK, worldSize, barrier: "either" as const };
      const joining = own.worker.call(
        "open",
        { group: TRAINER, ...place, timeout, libraries },
        { signal, onListening: () => listens() },
      );
      const failed = (error: unknown): void => fail(own, error);
      // The trainer may come while the servers still join: what went wrong there is said by its next call.
      void queue(own, () => Promise.all([joining, joinServers(own).catch(failed)]).then(() => undefined));
      try {
        await Promise.race([listening, joining]);
      } catch (error) {
        session = null;
        own.life.abort(error);
        await own.worker.stop();
        throw error;
      }
    },
    async update(tensors, batch, by) {
      const own = current();
      const wire = tensors.map(toWire);
      const [first] = wire;
      if (first === undefined) return;
      const fingerprint = JSON.stringify(wire);
      // The trainer's HTTP library repeats a POST whose connection broke; the trainer itself never asks twice without a broadcast.
      if (own.awaited === fingerprint) return;
      own.awaited = fingerprint;
      log.debug("bridge awaits tensors", { count: wire.length, first: first.name, request_id: by.requestId });
      void queue(own, async () => {
        if (own.failure === null && own.names.has(first.name)) await publish(own);
        await transfer(own, wire, batch);
      });
    },
    async finish(by, signal) {
      const own = current();
      let published = false;
      const done = queue(own, async () => {
        if (own.failure !== null || own.names.size === 0) return;
        await publish(own);
        published = true;
      });
      await orAborted(done, signal);
      if (own.failure !== null) throw own.failure;
      if (published) log.info("bridge published an update", { request_id: by.requestId });
      return published;
    },
    close,
  };
}
