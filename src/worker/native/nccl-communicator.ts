/**
 * One rank of an NCCL communicator that never hangs: every wait has a deadline, and what goes wrong or takes too long
 * aborts the communicator, which is the only cure NCCL has. A new one can be made in the same process afterwards.
 */
import { setImmediate } from "node:timers";
import { GatewayError, invalidValue } from "../../errors.ts";
import { orAborted, sleep } from "../../lib/deadline.ts";
import type { Clock } from "../../ports.ts";
import { DTYPE_BITS, type Dtype } from "../../tensor/dtype.ts";
import type { NcclLibrary } from "./nccl-library.ts";
import { toNcclType } from "./nccl-numbers.ts";
import type { NcclUniqueId } from "./pickle-values.ts";
import { type CallOptions, withDeadline } from "./tcp-store-deadline.ts";

/** One rank. Times in milliseconds. */
export interface NcclCommunicatorOptions {
  readonly library: NcclLibrary;
  readonly rank: number;
  readonly worldSize: number;
  /** The same on all ranks: rank 0 broadcasts it through the process group. */
  readonly uniqueId: NcclUniqueId;
  readonly clock: Clock;
  /** Until all ranks have joined, and the default of every later call. Default 60 000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Host memory for copies, bytes. Default 32 MiB. */
  readonly stagingBytes?: number;
}

const DEFAULT_TIMEOUT = 60_000;
const STAGING = 32 * 2 ** 20;
/** How long ncclCommAbort and the calls that it ends may take before their thread is given up. */
const ABORT_GRACE = 5000;
/** Looks at the stream between two turns of the event loop this often, then with growing pauses up to the longest. */
const EAGER_LOOKS = 50;
const LONGEST_PAUSE = 10;

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A joined communicator with one stream and one device buffer. Its calls run one after another, in the order made. */
export class NcclCommunicator {
  readonly rank: number;
  readonly worldSize: number;
  readonly #options: NcclCommunicatorOptions;
  readonly #library: NcclLibrary;
  readonly #failed = new AbortController();
  readonly #staging: Uint8Array<ArrayBuffer>;
  #comm: bigint | undefined;
  #stream: bigint | undefined;
  #buffer: { readonly address: bigint; readonly bytes: number } | undefined;
  #registered = false;
  /** Bytes that the buffer keeps for others. */
  #held: number | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** The native call in progress, however long it takes. */
  #native: Promise<unknown> = Promise.resolve();
  #ending: Promise<void> | undefined;

  /** Use `createNcclCommunicator`. */
  constructor(options: NcclCommunicatorOptions) {
    this.rank = options.rank;
    this.worldSize = options.worldSize;
    this.#options = options;
    this.#library = options.library;
    this.#staging = new Uint8Array(new ArrayBuffer(options.stagingBytes ?? STAGING));
  }

  /** Aborts, with the reason, when the communicator failed or was closed; nothing more can be sent then. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Joins, then proves the group with the sum that vLLM's PyNcclCommunicator does: one float32. */
  async open(): Promise<void> {
    const { worldSize, uniqueId, rank, signal } = this.#options;
    await this.#call("joining the communicator", signal === undefined ? undefined : { signal }, async (bounded) => {
      this.#stream = await this.#run(this.#library.createStream(), bounded);
      await this.#run(this.#library.register(this.#staging), bounded);
      this.#registered = true;
      await this.#reserve(8, bounded);
      const joining = this.#library.beginCommunicator(worldSize, uniqueId, rank).then((comm) => {
        this.#comm = comm;
        return comm;
      });
      const comm = await this.#run(joining, bounded);
      await this.#settled(bounded);
      const { address } = this.#buffer!;
      await this.#copyIn(new Uint8Array(8), bounded);
      const sum = this.#library.allReduceSum(address, address + 4n, 1, toNcclType("F32"), comm, this.#stream);
      await this.#run(sum, bounded);
      await this.#settled(bounded);
    });
  }

  /**
   * Sends `bytes` (one tensor, or a packed run of tensors) from this rank to all others; resolves when they are out.
   * `dtype` and the length must be what the others expect.
   */
  async send(parts: readonly Uint8Array[], dtype: Dtype, call?: CallOptions): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    await this.sendFrom(bytes, parts, dtype, call);
  }

  /** As `send`, from pieces as they come: the host holds one of them. They must add up to `bytes`. */
  async sendFrom(
    bytes: number,
    pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    dtype: Dtype,
    call?: CallOptions,
  ): Promise<void> {
    await this.#call(`sending ${bytes} bytes`, call, async (bounded) => {
      await this.#reserve(bytes, bounded);
      let at = 0;
      for await (const piece of pieces) {
        bounded.throwIfAborted();
        if (at + piece.length > bytes) throw invalidValue("pieces", at + piece.length, `${bytes} bytes together`);
        await this.#copyIn(piece, bounded, at);
        at += piece.length;
      }
      if (at !== bytes) throw invalidValue("pieces", at, `${bytes} bytes together`);
      await this.#broadcast(bytes, dtype, this.rank, bounded);
    });
  }

  /** Sends what `other` holds since its last `hold`: from device to device, nothing comes to the host. */
  async sendHeld(other: NcclCommunicator, bytes: number, dtype: Dtype, call?: CallOptions): Promise<void> {
    await this.#call(`passing on ${bytes} bytes`, call, async (bounded) => {
      if (other.#held !== bytes || other.#buffer === undefined) {
        throw invalidValue("bytes", bytes, `the ${other.#held} bytes that are held`);
      }
      await this.#broadcast(bytes, dtype, this.rank, bounded, other.#buffer.address);
    });
  }

  /** Receives `bytes` bytes from `root`. */
  async receive(bytes: number, dtype: Dtype, root: number, call?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(bytes);
    let at = 0;
    await this.receiveTo(
      bytes,
      dtype,
      root,
      (piece) => {
        out.set(piece, at);
        at += piece.length;
      },
      call,
    );
    return out;
  }

  /** As `receive`, handed over in pieces that are only valid until `take` is done. Taking counts against the deadline. */
  async receiveTo(
    bytes: number,
    dtype: Dtype,
    root: number,
    take: (piece: Uint8Array) => void | Promise<void>,
    call?: CallOptions,
  ): Promise<void> {
    this.#checkRoot(root);
    await this.#call(`receiving ${bytes} bytes from rank ${root}`, call, async (bounded) => {
      await this.#reserve(bytes, bounded);
      await this.#broadcast(bytes, dtype, root, bounded);
      await this.#copyOut(bytes, bounded, take);
    });
  }

  /** Receives and leaves it on the device, for one or more `sendHeld` of other communicators, until the next call here. */
  async hold(bytes: number, dtype: Dtype, root: number, call?: CallOptions): Promise<void> {
    this.#checkRoot(root);
    await this.#call(`receiving ${bytes} bytes from rank ${root}`, call, async (bounded) => {
      await this.#reserve(bytes, bounded);
      await this.#broadcast(bytes, dtype, root, bounded);
      this.#held = bytes;
    });
  }

  #checkRoot(root: number): void {
    if (!Number.isInteger(root) || root < 0 || root >= this.worldSize || root === this.rank) {
      throw invalidValue("root", root, `another rank than ${this.rank}, from 0 to ${this.worldSize - 1}`);
    }
  }

  /** Ends the communicator and gives everything back. Local and idempotent: peers are not asked, so it cannot hang. */
  async close(): Promise<void> {
    await this.#end(new GatewayError("sync_failed", "NCCL: this communicator was closed.", { phase: "transfer" }));
  }

  async #broadcast(
    bytes: number,
    dtype: Dtype,
    root: number,
    bounded: AbortSignal,
    address = this.#buffer!.address,
  ): Promise<void> {
    const count = bytes / (DTYPE_BITS[dtype] / 8);
    if (!Number.isInteger(count)) throw invalidValue("bytes", bytes, `a whole number of ${dtype} elements`);
    const begun = this.#library.broadcast(address, count, toNcclType(dtype), root, this.#comm!, this.#stream!);
    await this.#run(begun, bounded);
    await this.#settled(bounded);
  }

  /** The device buffer only grows. */
  async #reserve(bytes: number, bounded: AbortSignal): Promise<void> {
    this.#held = undefined;
    if (this.#buffer !== undefined && this.#buffer.bytes >= bytes) return;
    const old = this.#buffer;
    this.#buffer = undefined;
    if (old !== undefined) await this.#run(this.#library.free(old.address), bounded);
    const allocated = this.#library.allocate(bytes).then((address) => {
      this.#buffer = { address, bytes };
    });
    await this.#run(allocated, bounded);
  }

  async #copyIn(bytes: Uint8Array, bounded: AbortSignal, offset = 0): Promise<void> {
    for (let at = 0; at < bytes.length; at += this.#staging.length) {
      const piece = bytes.subarray(at, at + this.#staging.length);
      this.#staging.set(piece);
      const target = this.#buffer!.address + BigInt(offset + at);
      await this.#run(
        this.#library.copyToDevice(target, this.#staging.subarray(0, piece.length), this.#stream!),
        bounded,
      );
      await this.#settled(bounded);
    }
  }

  async #copyOut(
    bytes: number,
    bounded: AbortSignal,
    take: (piece: Uint8Array) => void | Promise<void>,
  ): Promise<void> {
    for (let at = 0; at < bytes; at += this.#staging.length) {
      const piece = this.#staging.subarray(0, Math.min(this.#staging.length, bytes - at));
      const source = this.#buffer!.address + BigInt(at);
      await this.#run(this.#library.copyToHost(piece, source, this.#stream!), bounded);
      await this.#settled(bounded);
      await take(piece);
    }
  }

  /** Waits for a native call, which goes on in its thread when we leave first. */
  #run<T>(call: Promise<T>, bounded: AbortSignal): Promise<T> {
    this.#native = call.catch(() => {});
    return orAborted(call, bounded);
  }

  /** Polls until communicator and stream have nothing left to do. Never blocks: a hang must end at the deadline. */
  async #settled(bounded: AbortSignal): Promise<void> {
    for (let looks = 0; ; looks += 1) {
      bounded.throwIfAborted();
      const busy = this.#comm !== undefined && this.#library.isBusy(this.#comm);
      if (!busy && this.#library.isIdle(this.#stream!)) return;
      if (looks < EAGER_LOOKS) await turn();
      else await sleep(this.#options.clock, Math.min(LONGEST_PAUSE, 1 + (looks - EAGER_LOOKS) / 20), bounded);
    }
  }

  #call<T>(what: string, call: CallOptions | undefined, work: (bounded: AbortSignal) => Promise<T>): Promise<T> {
    const bound = {
      timeout: call?.timeout ?? this.#options.timeout ?? DEFAULT_TIMEOUT,
      signal: call?.signal,
      phase: "transfer",
    };
    const text = () => `NCCL rank ${this.rank} of ${this.worldSize}: ${what} did not end`;
    const before = this.#last;
    const mine = withDeadline(this.#options.clock, bound, text, async (bounded) => {
      await orAborted(before, bounded);
      this.#failed.signal.throwIfAborted();
      // A close from outside ends the work too.
      const either = AbortSignal.any([bounded, this.#failed.signal]);
      try {
        return await work(either);
      } catch (error) {
        // A hang that even the abort cannot end is worth more than what led to it.
        await this.#end(error).catch((cause) => {
          const first = error instanceof Error ? error.message : String(error);
          const last = cause instanceof Error ? cause.message : String(cause);
          throw new GatewayError("sync_failed", `${first} ${last}`, { phase: "transfer", cause });
        });
        throw error;
      }
    });
    this.#last = mine.catch(() => {});
    return mine;
  }

  #end(reason: unknown): Promise<void> {
    this.#failed.abort(reason);
    this.#ending ??= this.#release();
    return this.#ending;
  }

  /** Abort first: a kernel that waits for a peer uses the buffers until then. What cannot be freed safely is kept. */
  async #release(): Promise<void> {
    const { clock } = this.#options;
    const stuck = () => "NCCL: ncclCommAbort did not end the work; this process must be restarted";
    const grace = { timeout: ABORT_GRACE, phase: "transfer" };
    await withDeadline(clock, grace, stuck, async (bounded) => {
      // Joining may still be in its thread, and hands over the communicator when it is back.
      if (this.#comm === undefined) await orAborted(this.#native, bounded);
      if (this.#comm !== undefined) await orAborted(this.#library.abort(this.#comm), bounded);
      this.#comm = undefined;
      await orAborted(this.#native, bounded);
      if (this.#stream !== undefined) await this.#settled(bounded);
    });
    if (this.#buffer !== undefined) await this.#library.free(this.#buffer.address);
    if (this.#stream !== undefined) await this.#library.destroyStream(this.#stream);
    if (this.#registered) await this.#library.unregister(this.#staging);
    this.#buffer = undefined;
    this.#stream = undefined;
    this.#registered = false;
  }
}

/**
 * Joins a communicator and proves it with a first sum, as vLLM does. Resolves when all ranks are in.
 *
 * @throws GatewayError `invalid_value`, `deadline_exceeded` (a rank did not come), `sync_failed` with NCCL's own words; or
 *   the signal's reason. Nothing is left behind then.
 */
export async function createNcclCommunicator(options: NcclCommunicatorOptions): Promise<NcclCommunicator> {
  const { rank, worldSize } = options;
  if (!Number.isInteger(worldSize) || worldSize < 2)
    throw invalidValue("worldSize", worldSize, "an integer of at least 2");
  if (!Number.isInteger(rank) || rank < 0 || rank >= worldSize) {
    throw invalidValue("rank", rank, `an integer from 0 to ${worldSize - 1}`);
  }
  const communicator = new NcclCommunicator(options);
  await communicator.open();
  return communicator;
}
