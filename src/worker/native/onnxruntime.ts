/**
 * The part of ONNX Runtime's C API that the engine uses, called in the library that the onnxruntime-node package
 * ships. The package's own binding copies every output; the C API lets the KV cache be updated in place.
 * Knows tensors and sessions, nothing of models.
 *
 * Function slots: `struct OrtApi` of onnxruntime_c_api.h, append-only between versions, so version 23's order holds.
 */
import { basename, dirname } from "node:path";
import koffi from "koffi";
import { GatewayError } from "../../errors.ts";
import { type Assignments, RECORD_ASSIGNMENTS, readAssignments } from "./assignments.ts";
import { settleKoffi } from "./koffi-settings.ts";
import { checkProviderFiles, findOnnxRuntimeLibrary } from "./library.ts";
import type { Region } from "./mapping.ts";
import { addressOf, pinnedBigInt64, pinnedPointers, pinnedString } from "./memory.ts";
import { createSessionAllocator, type SessionAllocator } from "./session-allocator.ts";

/** The lowest version of the API with all the functions below. */
const API_VERSION = 23;

const SLOT = {
  GetErrorMessage: 2,
  CreateEnv: 3,
  CreateSessionFromArray: 8,
  Run: 9,
  CreateSessionOptions: 10,
  SetSessionGraphOptimizationLevel: 23,
  SetIntraOpNumThreads: 24,
  CreateTensorWithDataAsOrtValue: 49,
  CreateCpuMemoryInfo: 69,
  ReleaseStatus: 93,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseSessionOptions: 100,
  AddSessionConfigEntry: 130,
  AddInitializer: 150,
  RegisterAllocator: 176,
  SessionOptionsAppendExecutionProvider_CUDA_V2: 204,
  CreateCUDAProviderOptions: 205,
  ReleaseCUDAProviderOptions: 208,
  AddExternalInitializers: 210,
  SessionOptionsAppendExecutionProvider: 216,
  Session_GetEpGraphAssignmentInfo: 407,
  EpAssignedSubgraph_GetEpName: 408,
  EpAssignedSubgraph_GetNodes: 409,
  EpAssignedNode_GetOperatorType: 412,
} as const;

/** A pointer as koffi gives it: a number where it fits, else a bigint. */
type Pointer = number | bigint;
interface NativeFunction {
  (...args: readonly unknown[]): Pointer;
  /** Runs on another thread; the last argument is called back with (error, result). */
  readonly async: (...args: readonly unknown[]) => void;
}

/** Data types, in the numbering of `ONNXTensorElementDataType`. */
export const ELEMENT = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof ELEMENT;

/** A tensor over memory of ours. `data` is held here so that it outlives the native view of it. */
export interface OrtTensor {
  readonly handle: bigint;
  readonly data: ArrayBufferView;
  release(): void;
}

/** A tensor over memory that somebody else holds. */
export type OrtView = Omit<OrtTensor, "data">;

/** What runs operators; the CPU takes what another cannot. */
export type Provider = "cpu" | "webgpu" | "cuda";

/** Long and multi-line native messages are cut to what a person reads. */
const REASON_LIMIT = 300;

export interface SessionOptions {
  /** Default: the CPU. */
  readonly provider?: Provider;
  /** Keep which provider runs what; default: where the provider is not the CPU. */
  readonly recordAssignments?: boolean;
  /** Threads of one operator; the calling thread is the first. */
  readonly threads: number;
  /** false: weights stay in the caller's memory only, at some cost in speed. */
  readonly prepack: boolean;
  /** Replaces initializers of the model by name; each is declared there as external data. */
  readonly initializers: ReadonlyMap<string, OrtView>;
  /** The session gets copies, as it must where it folds or another device holds them; default: where the provider is not the CPU. */
  readonly copyInitializers?: boolean;
  /** Where the session keeps what it packs and copies; such a session is made without yielding. Default: the heap. */
  readonly region?: Region;
}

/** A compiled graph. Names are bound by position: `bind` once, `run` often. */
export interface OrtSession {
  readonly handle: bigint;
  /** Which provider runs what; null when it was not recorded. */
  readonly assignments: Assignments | null;
  release(): void;
}

/** Input and output names of a session's calls, in C memory, and the handles of one call. */
export interface RunBinding {
  readonly inputs: BigUint64Array;
  readonly outputs: BigUint64Array;
  /** Blocks until done; the outputs are then in the tensors given. */
  run(): void;
}

function loadApi(path: string) {
  settleKoffi();
  const library = koffi.load(path);
  const base = library.func("OrtGetApiBase", "void *", [])() as bigint;
  const getApi = koffi.decode(BigInt(koffi.decode.uint64(base)), koffi.proto("void *", ["uint32_t"]));
  const version = koffi.decode(BigInt(koffi.decode(base, 8, "uint64")), koffi.proto("str", []))() as string;
  const table = getApi(API_VERSION) as bigint | null;
  if (table === null) {
    throw new GatewayError(
      "unsupported",
      `ONNX Runtime ${version} has no API version ${API_VERSION}; install onnxruntime-node 1.30 or newer.`,
    );
  }
  const slot = (name: keyof typeof SLOT, result: string, args: readonly string[]): NativeFunction => {
    const address = BigInt(koffi.decode(table, SLOT[name] * 8, "uint64") as Pointer);
    return koffi.decode(address, koffi.proto(result, [...args]));
  };
  const p = "void *";
  const h = "uint64";
  return {
    // Held on purpose: koffi unloads a library whose handle is collected, and the functions below would jump into nothing.
    library,
    version,
    getErrorMessage: slot("GetErrorMessage", "str", [h]) as unknown as (status: Pointer) => string,
    createEnv: slot("CreateEnv", h, ["int", p, p]),
    createSessionFromArray: slot("CreateSessionFromArray", h, [h, p, "size_t", h, p]),
    run: slot("Run", h, [h, h, p, p, "size_t", p, "size_t", p]),
    createSessionOptions: slot("CreateSessionOptions", h, [p]),
    setOptimization: slot("SetSessionGraphOptimizationLevel", h, [h, "int"]),
    setThreads: slot("SetIntraOpNumThreads", h, [h, "int"]),
    createTensor: slot("CreateTensorWithDataAsOrtValue", h, [h, p, "size_t", p, "size_t", "int", p]),
    createTensorAt: slot("CreateTensorWithDataAsOrtValue", h, [h, h, "size_t", p, "size_t", "int", p]),
    createMemoryInfo: slot("CreateCpuMemoryInfo", h, ["int", "int", p]),
    releaseStatus: slot("ReleaseStatus", "void", [h]),
    releaseSession: slot("ReleaseSession", "void", [h]),
    releaseValue: slot("ReleaseValue", "void", [h]),
    releaseSessionOptions: slot("ReleaseSessionOptions", "void", [h]),
    addConfig: slot("AddSessionConfigEntry", h, [h, p, p]),
    addInitializer: slot("AddInitializer", h, [h, p, h]),
    addExternalInitializers: slot("AddExternalInitializers", h, [h, p, p, "size_t"]),
    appendCuda: slot("SessionOptionsAppendExecutionProvider_CUDA_V2", h, [h, h]),
    assignments: () => ({
      subgraphs: slot("Session_GetEpGraphAssignmentInfo", h, [h, p, p]),
      provider: slot("EpAssignedSubgraph_GetEpName", h, [h, p]),
      nodes: slot("EpAssignedSubgraph_GetNodes", h, [h, p, p]),
      operator: slot("EpAssignedNode_GetOperatorType", h, [h, p]),
    }),
    createCudaOptions: slot("CreateCUDAProviderOptions", h, [p]),
    releaseCudaOptions: slot("ReleaseCUDAProviderOptions", "void", [h]),
    appendProvider: slot("SessionOptionsAppendExecutionProvider", h, [h, p, p, p, "size_t"]),
    registerAllocator: slot("RegisterAllocator", h, [h, p]),
  };
}

/** The arguments stay referenced until the call is back. */
function callAsync(native: NativeFunction, args: readonly unknown[]): Promise<Pointer> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error: unknown, result: Pointer) => {
      if (error) reject(new Error(`A native call failed after ${args.length} arguments.`, { cause: error }));
      else resolve(result);
    });
  });
}

/** ONNX Runtime, loaded once per process. */
export class OnnxRuntime {
  readonly version: string;
  /** Base name of a file that exists where external data is looked for; models name it as the location. */
  readonly externalLocation: string;
  readonly #path = findOnnxRuntimeLibrary();
  readonly #api: ReturnType<typeof loadApi>;
  readonly #env: bigint;
  readonly #memoryInfo: bigint;
  readonly #out = pinnedPointers(1);
  #allocator: SessionAllocator | undefined;

  constructor() {
    this.#api = loadApi(this.#path);
    this.externalLocation = basename(this.#path);
    this.version = this.#api.version;
    // Log level 3: errors only; they also come back as statuses.
    this.#env = this.#create(this.#api.createEnv(3, pinnedString("tidegate"), this.#out));
    // Arena allocator (1), default memory type (0): what CreateCpuMemoryInfo callers use for memory of their own.
    this.#memoryInfo = this.#create(this.#api.createMemoryInfo(1, 0, this.#out));
  }

  /** Throws when `status` is not null. */
  #check(status: Pointer): void {
    if (status === 0 || status === 0n) return;
    const message = this.#api.getErrorMessage(status);
    this.#api.releaseStatus(status);
    throw new GatewayError("internal", `ONNX Runtime ${this.version}: ${message.slice(0, 2000)}`);
  }

  /** The handle that the call just wrote to `#out`. */
  #create(status: Pointer): bigint {
    this.#check(status);
    return this.#out[0]!;
  }

  /** A tensor over memory at an address, which stays valid until its release. */
  createTensorAt(address: bigint, bytes: number, dims: readonly number[], type: ElementType): OrtView {
    const shape = pinnedBigInt64(dims.length);
    for (const [axis, size] of dims.entries()) shape[axis] = BigInt(size);
    const handle = this.#create(
      this.#api.createTensorAt(this.#memoryInfo, address, bytes, shape, dims.length, ELEMENT[type], this.#out),
    );
    return { handle, release: () => void this.#api.releaseValue(handle) };
  }

  /** The allocator of sessions with a region; registered at its first use, for good. */
  #openAllocator(): SessionAllocator {
    if (this.#allocator === undefined) {
      // Device allocator (0), default memory type (0): the kind that sessions may share.
      const info = this.#create(this.#api.createMemoryInfo(0, 0, this.#out));
      const allocator = createSessionAllocator(info);
      this.#check(this.#api.registerAllocator(this.#env, allocator.struct));
      this.#allocator = allocator;
    }
    return this.#allocator;
  }

  /** A tensor over `data` (made by native/memory.ts, or a view into such); nothing is copied. */
  createTensor(data: ArrayBufferView, dims: readonly number[], type: ElementType): OrtTensor {
    const shape = pinnedBigInt64(dims.length);
    for (const [axis, size] of dims.entries()) shape[axis] = BigInt(size);
    const handle = this.#create(
      this.#api.createTensor(this.#memoryInfo, data, data.byteLength, shape, dims.length, ELEMENT[type], this.#out),
    );
    return { handle, data, release: () => void this.#api.releaseValue(handle) };
  }

  /** Adds a provider to the options of a session. Throws what it says when it cannot be had. */
  #append(settings: bigint, provider: Provider): void {
    const api = this.#api;
    checkProviderFiles(provider, this.#path);
    if (provider === "webgpu") {
      const none = pinnedPointers(1);
      this.#check(api.appendProvider(settings, pinnedString("WebGPU"), none, none, 0));
    }
    if (provider !== "cuda") return;
    const options = this.#create(api.createCudaOptions(this.#out));
    try {
      this.#check(api.appendCuda(settings, options));
    } finally {
      api.releaseCudaOptions(options);
    }
  }

  /** Which of a provider's files is missing, in a sentence; null when all are there, which is no promise that it can be had. */
  missing(provider: Exclude<Provider, "cpu">): string | null {
    try {
      checkProviderFiles(provider, this.#path);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Why a provider cannot be had on this machine, in a sentence; null when it can. Starts its driver: tens of megabytes. */
  probe(provider: Exclude<Provider, "cpu">): string | null {
    const settings = this.#create(this.#api.createSessionOptions(this.#out));
    try {
      this.#append(settings, provider);
      return null;
    } catch (error) {
      const text = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").trim();
      // What comes before the last of these is the place in ONNX Runtime's source.
      const said = text.split(" was false. ").at(-1)!.slice(0, REASON_LIMIT);
      return /[.!]$/.test(said) ? said : `${said}.`;
    } finally {
      this.#api.releaseSessionOptions(settings);
    }
  }

  /**
   * Puts a copy of each initializer into the graph. (What another device holds, or what is computed with at compile time, is
   * otherwise read from the file that external data names, with no more than a warning.)
   */
  #copyInitializers(settings: bigint, initializers: ReadonlyMap<string, OrtView>): void {
    const strings = [...initializers.keys()].map(pinnedString);
    const names = pinnedPointers(strings.length);
    const values = pinnedPointers(strings.length);
    for (const [index, bytes] of strings.entries()) names[index] = addressOf(bytes);
    for (const [index, { handle }] of [...initializers.values()].entries()) values[index] = handle;
    this.#check(this.#api.addExternalInitializers(settings, names, values, strings.length));
  }

  /**
   * Compiles a serialized ONNX model on another thread (about a second per 500 MB of weights). Sessions that exist may
   * run meanwhile.
   */
  async createSession(model: Uint8Array, options: SessionOptions): Promise<OrtSession> {
    const api = this.#api;
    const settings = this.#create(api.createSessionOptions(this.#out));
    try {
      this.#append(settings, options.provider ?? "cpu");
      // Basic optimisation only (1): the graph is built in its final form.
      this.#check(api.setOptimization(settings, 1));
      this.#check(api.setThreads(settings, options.threads));
      const onCpu = (options.provider ?? "cpu") === "cpu";
      const copied = options.copyInitializers ?? !onCpu;
      const config: [string, string][] = [
        // Idle pool threads must not burn whole cores.
        ["session.intra_op.allow_spinning", "0"],
        ["session.disable_prepacking", options.prepack ? "0" : "1"],
        ["session.use_env_allocators", options.region === undefined ? "0" : "1"],
        // The place of external data must exist although the bytes come from `initializers` and it is never read.
        ["session.model_external_initializers_file_folder_path", dirname(this.#path)],
      ];
      const record = options.recordAssignments ?? !onCpu;
      if (record) config.push([...RECORD_ASSIGNMENTS]);
      for (const [key, value] of config) {
        this.#check(api.addConfig(settings, pinnedString(key), pinnedString(value)));
      }
      if (copied) this.#copyInitializers(settings, options.initializers);
      for (const [name, tensor] of copied ? [] : options.initializers) {
        this.#check(api.addInitializer(settings, pinnedString(name), tensor.handle));
      }
      const out = pinnedPointers(1);
      const bytes = new Uint8Array(new ArrayBuffer(model.length));
      bytes.set(model);
      const args = [this.#env, bytes, bytes.length, settings, out];
      const status =
        options.region === undefined
          ? await callAsync(api.createSessionFromArray, args)
          : this.#openAllocator().into(options.region, () => api.createSessionFromArray(...args));
      this.#check(status);
      const handle = out[0]!;
      const assignments = record
        ? readAssignments(api.assignments(), handle, (code) => this.#check(code as Pointer))
        : null;
      return { handle, assignments, release: () => void api.releaseSession(handle) };
    } finally {
      api.releaseSessionOptions(settings);
    }
  }

  /** Prepares calls of one session: fill `inputs` and `outputs` with tensor handles in the order of the names. */
  bind(session: OrtSession, inputNames: readonly string[], outputNames: readonly string[]): RunBinding {
    const api = this.#api;
    const toTable = (names: readonly string[]) => {
      const strings = names.map(pinnedString);
      const table = pinnedPointers(names.length);
      for (const [index, bytes] of strings.entries()) table[index] = addressOf(bytes);
      return { strings, table };
    };
    const names = { inputs: toTable(inputNames), outputs: toTable(outputNames) };
    const inputs = pinnedPointers(inputNames.length);
    const outputs = pinnedPointers(outputNames.length);
    const run = () => {
      this.#check(
        api.run(
          session.handle,
          0,
          names.inputs.table,
          inputs,
          inputs.length,
          names.outputs.table,
          outputs.length,
          outputs,
        ),
      );
    };
    return { inputs, outputs, run };
  }
}

let shared: OnnxRuntime | undefined;

/** The one instance of this process; the library is loaded at the first call. */
export function openOnnxRuntime(): OnnxRuntime {
  shared ??= new OnnxRuntime();
  return shared;
}
