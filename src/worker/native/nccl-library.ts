/**
 * libnccl and the CUDA runtime, bound through koffi. Calls and result codes only; what to do about a hang is in
 * `nccl-communicator.ts`. Only the worker process loads this, and one device belongs to it: CUDA's current device is a
 * property of the thread, calls run on several, so device 0 is used on all (choose with CUDA_VISIBLE_DEVICES).
 */
import koffi from "koffi";
import { GatewayError } from "../../errors.ts";
import { settleKoffi } from "./koffi-settings.ts";
import { pinnedInt32, pinnedPointers } from "./memory.ts";
import { CUDA_RESULT, NCCL_RESULT, toNcclVersion, toNonBlockingConfig } from "./nccl-numbers.ts";
import { NCCL_UNIQUE_ID_BYTES, NcclUniqueId } from "./pickle-values.ts";

/** A foreign function; the last argument of `async` is called back with (error, result) from another thread. */
interface NativeFunction {
  (...args: readonly unknown[]): number;
  readonly async: (...args: readonly unknown[]) => void;
}

/** Where the libraries are; names are looked for as the system's loader does. */
export interface NcclLibraryOptions {
  /** Default `libnccl.so.2`. */
  readonly nccl?: string;
  /** Default: the newest of `libcudart.so.13`, `.12`, `.11.0` that loads. */
  readonly cudart?: string;
}

const NCCL_NAMES = ["libnccl.so.2", "libnccl.so"];
const CUDART_NAMES = ["libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so"];

/** cudaMemcpyKind. */
export const COPY = { toDevice: 1, toHost: 2 } as const;
/** `cudaStreamNonBlocking`: does not wait for the default stream. */
const STREAM_NON_BLOCKING = 1;

function load(names: readonly string[], what: string) {
  const reasons: string[] = [];
  for (const name of names) {
    try {
      return koffi.load(name);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  const tried = `tried ${names.join(", ")}: ${reasons[0]?.slice(0, 300)}`;
  throw new GatewayError("unsupported", `${what} cannot be loaded (${tried}). NCCL transfers need an NVIDIA GPU host.`);
}

type Libraries = ReturnType<typeof bind>;

function bind(options: NcclLibraryOptions) {
  settleKoffi();
  const cudart = load(options.cudart === undefined ? CUDART_NAMES : [options.cudart], "The CUDA runtime");
  const nccl = load(options.nccl === undefined ? NCCL_NAMES : [options.nccl], "NCCL");
  const [p, h] = ["void *", "uint64"];
  const id = koffi.struct({ internal: koffi.array("uint8", NCCL_UNIQUE_ID_BYTES, "Typed") });
  const from = (library: typeof nccl, name: string, args: readonly unknown[], result = "int"): NativeFunction => {
    try {
      return library.func(name, result, args as never) as unknown as NativeFunction;
    } catch (cause) {
      throw new GatewayError("unsupported", `${name} is missing; NCCL 2.14 or newer and CUDA 11 or newer are needed.`, {
        cause,
      });
    }
  };
  return {
    // Held on purpose: koffi unloads a library whose handle is collected.
    libraries: [cudart, nccl],
    ncclGetVersion: from(nccl, "ncclGetVersion", [p]),
    ncclGetUniqueId: from(nccl, "ncclGetUniqueId", [p]),
    ncclCommInitRankConfig: from(nccl, "ncclCommInitRankConfig", [p, "int", id, "int", p]),
    ncclCommGetAsyncError: from(nccl, "ncclCommGetAsyncError", [h, p]),
    ncclCommAbort: from(nccl, "ncclCommAbort", [h]),
    ncclBroadcast: from(nccl, "ncclBroadcast", [h, h, "size_t", "int", "int", h, h]),
    ncclAllReduce: from(nccl, "ncclAllReduce", [h, h, "size_t", "int", "int", h, h]),
    ncclGetErrorString: from(nccl, "ncclGetErrorString", ["int"], "str"),
    ncclGetLastError: from(nccl, "ncclGetLastError", [h], "str"),
    cudaMalloc: from(cudart, "cudaMalloc", [p, "size_t"]),
    cudaFree: from(cudart, "cudaFree", [h]),
    cudaStreamCreateWithFlags: from(cudart, "cudaStreamCreateWithFlags", [p, "uint32"]),
    cudaStreamQuery: from(cudart, "cudaStreamQuery", [h]),
    cudaStreamDestroy: from(cudart, "cudaStreamDestroy", [h]),
    copyToDevice: from(cudart, "cudaMemcpyAsync", [h, p, "size_t", "int", h]),
    copyToHost: from(cudart, "cudaMemcpyAsync", [p, h, "size_t", "int", h]),
    cudaHostRegister: from(cudart, "cudaHostRegister", [p, "size_t", "uint32"]),
    cudaHostUnregister: from(cudart, "cudaHostUnregister", [p]),
    cudaGetErrorString: from(cudart, "cudaGetErrorString", ["int"], "str"),
  };
}

/** Runs on another thread. The arguments stay referenced until the call is back. */
function callAsync(native: NativeFunction, args: readonly unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error: unknown, result: number) => {
      if (error) reject(new Error(`A native call failed after ${args.length} arguments.`, { cause: error }));
      else resolve(result);
    });
  });
}

const failure = (text: string): GatewayError => new GatewayError("sync_failed", text, { phase: "transfer" });

/** Both libraries. What can wait for the driver or a peer runs off the event loop and returns a promise. */
export class NcclLibrary {
  /** Of libnccl; all ranks of a group must have the same. */
  readonly version: string;
  readonly #native: Libraries;
  /** NCCL writes a communicator's handle once more when its joining ends, in a thread of its own: kept until the abort. */
  readonly #handles = new Map<bigint, BigUint64Array>();

  /** @throws GatewayError `unsupported` when a library or an entry point is missing. */
  constructor(options: NcclLibraryOptions = {}) {
    this.#native = bind(options);
    const version = pinnedInt32(1);
    this.#nccl("ncclGetVersion", this.#native.ncclGetVersion(version));
    this.version = toNcclVersion(version[0]!);
  }

  /** A new id. It names a listening socket of this process, which must live until all ranks have joined. No GPU needed. */
  async createUniqueId(): Promise<NcclUniqueId> {
    const bytes = new Uint8Array(new ArrayBuffer(NCCL_UNIQUE_ID_BYTES));
    this.#nccl("ncclGetUniqueId", await callAsync(this.#native.ncclGetUniqueId, [bytes]));
    return new NcclUniqueId(bytes);
  }

  /** Begins to join; ask `asyncError` for the end. */
  async beginCommunicator(worldSize: number, id: NcclUniqueId, rank: number): Promise<bigint> {
    const out = pinnedPointers(1);
    const struct = { internal: id.bytes };
    const args = [out, worldSize, struct, rank, toNonBlockingConfig()];
    const code = await callAsync(this.#native.ncclCommInitRankConfig, args);
    if (code !== NCCL_RESULT.inProgress) this.#nccl("ncclCommInitRankConfig", code);
    this.#handles.set(out[0]!, out);
    return out[0]!;
  }

  /** True while the communicator works on something; throws when that failed. */
  isBusy(comm: bigint): boolean {
    const code = pinnedInt32(1);
    this.#nccl("ncclCommGetAsyncError", this.#native.ncclCommGetAsyncError(comm, code));
    if (code[0] === NCCL_RESULT.inProgress) return true;
    this.#nccl("the communicator", code[0]!, comm);
    return false;
  }

  /** Ends a communicator, in whatever state; local, peers are not asked. */
  async abort(comm: bigint): Promise<void> {
    this.#begun("ncclCommAbort", await callAsync(this.#native.ncclCommAbort, [comm]));
    this.#handles.delete(comm);
  }

  /** Begins a broadcast in place. `count` elements of the NCCL type. */
  async broadcast(address: bigint, count: number, type: number, root: number, comm: bigint, stream: bigint) {
    const args = [address, address, count, type, root, comm, stream];
    this.#begun("ncclBroadcast", await callAsync(this.#native.ncclBroadcast, args), comm);
  }

  /** Begins a sum over all ranks. */
  async allReduceSum(from: bigint, to: bigint, count: number, type: number, comm: bigint, stream: bigint) {
    const args = [from, to, count, type, 0, comm, stream];
    this.#begun("ncclAllReduce", await callAsync(this.#native.ncclAllReduce, args), comm);
  }

  /** Device memory; the first call of a process also starts CUDA, which takes seconds. */
  async allocate(bytes: number): Promise<bigint> {
    const out = pinnedPointers(1);
    this.#cuda(`cudaMalloc of ${bytes} bytes`, await callAsync(this.#native.cudaMalloc, [out, bytes]));
    return out[0]!;
  }

  /** Frees device memory that nothing uses any more. */
  async free(address: bigint): Promise<void> {
    this.#cuda("cudaFree", await callAsync(this.#native.cudaFree, [address]));
  }

  /** A stream that does not wait for the default one. */
  async createStream(): Promise<bigint> {
    const out = pinnedPointers(1);
    const args = [out, STREAM_NON_BLOCKING];
    this.#cuda("cudaStreamCreateWithFlags", await callAsync(this.#native.cudaStreamCreateWithFlags, args));
    return out[0]!;
  }

  /** True when everything put on the stream is done. */
  isIdle(stream: bigint): boolean {
    const code = this.#native.cudaStreamQuery(stream);
    if (code === CUDA_RESULT.notReady) return false;
    this.#cuda("cudaStreamQuery", code);
    return true;
  }

  /** Ends a stream that is idle. */
  async destroyStream(stream: bigint): Promise<void> {
    this.#cuda("cudaStreamDestroy", await callAsync(this.#native.cudaStreamDestroy, [stream]));
  }

  /** Begins a copy from host memory (made by memory.ts, untouched until the stream is idle). */
  async copyToDevice(address: bigint, host: Uint8Array, stream: bigint): Promise<void> {
    const args = [address, host, host.length, COPY.toDevice, stream];
    this.#cuda("cudaMemcpyAsync", await callAsync(this.#native.copyToDevice, args));
  }

  /** Begins a copy to host memory. */
  async copyToHost(host: Uint8Array, address: bigint, stream: bigint): Promise<void> {
    const args = [host, address, host.length, COPY.toHost, stream];
    this.#cuda("cudaMemcpyAsync", await callAsync(this.#native.copyToHost, args));
  }

  /** Locks host memory, for copies at full speed. */
  async register(host: Uint8Array): Promise<void> {
    this.#cuda("cudaHostRegister", await callAsync(this.#native.cudaHostRegister, [host, host.length, 0]));
  }

  /** Unlocks it. */
  async unregister(host: Uint8Array): Promise<void> {
    this.#cuda("cudaHostUnregister", await callAsync(this.#native.cudaHostUnregister, [host]));
  }

  /** A non-blocking communicator may say "in progress" to any call. */
  #begun(call: string, code: number, comm?: bigint): void {
    if (code !== NCCL_RESULT.inProgress) this.#nccl(call, code, comm);
  }

  #nccl(call: string, code: number, comm?: bigint): void {
    if (code === NCCL_RESULT.success) return;
    const text = String(this.#native.ncclGetErrorString(code));
    const last = comm === undefined ? "" : String(this.#native.ncclGetLastError(comm) ?? "").slice(0, 500);
    throw failure(`NCCL, ${call}: ${text} (${code})${last && `; ${last}`}.`);
  }

  #cuda(call: string, code: number): void {
    if (code === CUDA_RESULT.success) return;
    throw failure(`CUDA, ${call}: ${String(this.#native.cudaGetErrorString(code))} (${code}).`);
  }
}
