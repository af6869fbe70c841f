/**
 * The port between the fleet and whatever generates. An engine is one replica's way to speak; what it cannot do is
 * absent (an optional member), and the absence is the "unsupported".
 */
import type { GenerateEvent, GenerateRequest, Prompt } from "../contract/generation.ts";
import type { WeightDigest, WeightVersion } from "../contract/ids.ts";
import type { ExchangeAnswer } from "../ports.ts";

export type EngineKind = "embedded" | "vllm" | "trl";

/** A model as `/v1/models` shows it. */
export interface EngineModel {
  readonly id: string;
  /** Prompt plus output tokens of one sequence. */
  readonly maxModelLen: number | null;
  /** Checkpoint path or upstream's `root`. */
  readonly root: string;
  /** LoRA adapters name their base model. */
  readonly parent: string | null;
}

export interface EngineInfo {
  readonly models: readonly EngineModel[];
  /** Ranks that receive weights in this replica (TP × PP × DP); 1 for embedded. */
  readonly worldSize: number;
  /** null: nobody knows what it holds, after a change that did not end well; it gets no requests. */
  readonly weightVersion: WeightVersion | null;
  readonly weightDigest: WeightDigest | null;
  /** Free facts for humans: upstream version, device, provider, bytes. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** What an engine tells its owner without being asked. */
export type EngineNotice =
  /** Cannot serve now; a restart is under way (`recovering`) or not. */
  | { readonly type: "down"; readonly reason: string; readonly recovering: boolean }
  /** Serves again; info is fresh. */
  | { readonly type: "up"; readonly info: EngineInfo };

export interface CallOptions {
  /** Ends the call; the engine frees what it used within a second. */
  readonly signal: AbortSignal;
}

/** A call that changes a server in several steps. */
export interface GuardedCallOptions extends CallOptions {
  /** Throws when the right to change the server was lost; asked before each step. Absent = it cannot be lost. */
  readonly check?: () => void;
}

/** A request to hand on byte for byte. */
export interface ForwardRequest {
  readonly method: string;
  /** Path and query, beginning with "/". */
  readonly target: string;
  /** Already stripped of hop-by-hop headers and of our own credentials. */
  readonly headers: Headers;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
}

export type PauseMode = "abort" | "wait" | "keep";

export interface TensorSpec {
  readonly name: string;
  /** safetensors' spelling: "BF16", "F16", "F32". */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The replica casts while it loads: another floating-point dtype is welcome too. Default: the dtype must be this one. */
  readonly castable?: boolean;
}

/** A complete, verified set of tensors on local disk, one or many safetensors files. */
export interface WeightSet {
  /** Absolute paths; every tensor is in exactly one of them. */
  readonly files: readonly string[];
  /** Digest of this set alone (of the whole model when not `partial`). */
  readonly digest: WeightDigest;
  /** Only some tensors of the model; the others stay. */
  readonly partial: boolean;
}

export interface StageProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/**
 * Two-phase weight change of one replica: nothing is served from a staged set until `commit`. A target that overwrites
 * in place has no old weights to go back to once `commit` has begun: when that rejects, what it holds is unknown.
 */
export interface WeightTarget {
  /** All tensors that the served model has; null where the replica cannot tell. */
  manifest(): readonly TensorSpec[] | null;
  /** Why it cannot take weights at all as it now is, with the mend; null when it can. Absent = it always can. */
  cannot?(): string | null;
  /** Why partial sets are refused; absent = they are fine. */
  readonly wholeOnly?: string;
  /**
   * Loads beside the running weights, or brings the set within reach, and answers with the digest of the whole model
   * that would serve; null where nothing proves it ("unverified").
   */
  stage(
    id: string,
    set: WeightSet,
    options: CallOptions & { readonly onProgress: (progress: StageProgress) => void },
  ): Promise<WeightDigest | null>;
  /** Switches between two steps; afterwards all new tokens come from the staged weights. Running requests: see `mode`. */
  commit(id: string, version: WeightVersion, mode: PauseMode, options: GuardedCallOptions): Promise<void>;
  /** Drops a staged set; unknown ids are fine. Never fails the fleet. */
  discard(id: string): Promise<void>;
  /** Loads again what the replica started with (version 0), whatever state it is in. Absent where a restart does that. */
  restore?(options: GuardedCallOptions): Promise<void>;
  /** A gateway before this one left it in the middle of a change: a pause found there was that one's. Absent = no matter. */
  adopt?(): void;
  /** It was given whole weights since, by other means than this: the opposite of `adopt`. */
  disown?(): void;
}

/** The RL controls of vLLM's dev routes, for one replica. All are idempotent. */
export interface EngineControl {
  /** Resolves when no request runs (`abort`, `wait`) or all are frozen (`keep`). Later requests wait for `resume`. */
  pause(mode: PauseMode, clearCache: boolean, options: CallOptions): Promise<void>;
  resume(options: CallOptions): Promise<void>;
  isPaused(options: CallOptions): Promise<boolean>;
  /** false when refused because requests run and `resetRunning` is false. */
  resetPrefixCache(resetRunning: boolean, options: CallOptions): Promise<boolean>;
  /** `mode` says what becomes of running requests, as in `pause`; default abort. */
  sleep(level: number, options: CallOptions & { readonly mode?: PauseMode }): Promise<void>;
  wakeUp(tags: readonly string[] | null, options: CallOptions): Promise<void>;
  isSleeping(options: CallOptions): Promise<boolean>;
}

/**
 * Where weights are. On a CPU "device" and "cpu" are the same memory: a report then counts its bytes once, under "cpu",
 * and a directive may say either. "disk" means that the bytes are read again for every use.
 */
export type Tier = "device" | "cpu" | "disk";

/** Bytes by tier; their sum is the whole model's, as the engine holds it (float32), each byte counted once. */
export type TierBytes = Readonly<Record<Tier, number>>;

/**
 * A set of weights that moves as one: `embed` (the token table), `layers.0` … `layers.N-1`, `head` (final norm and
 * output matrix; a tied head is the token table, and then `head` is the norm alone).
 */
export interface ResidencyGroup {
  readonly name: string;
  readonly tier: Tier;
  readonly bytes: number;
  /** Locked in memory: the operating system may not page it out. */
  readonly pinned: boolean;
}

/** Where the weights are now, and what that has cost since the engine started. */
export interface ResidencyReport {
  /** In the order of use. */
  readonly groups: readonly ResidencyGroup[];
  readonly bytes: TierBytes;
  /** Bytes of memory that weights may take, streaming buffers included; absent = no limit. */
  readonly budgetBytes?: number;
  /** Groups read from disk for a step, all steps together. */
  readonly pageIns: number;
  /** Tokens computed, of prompts and of outputs. */
  readonly tokens: number;
  /** Groups that are in memory only because of a `gather`. */
  readonly gathered: number;
  /** Memory of the whole process that holds the weights (RSS); absent = not measured. */
  readonly processBytes?: number;
}

/** A report without its groups. */
export type ResidencySummary = Omit<ResidencyReport, "groups">;

/** Where weights are to be. What it leaves out has its default, not its old value: a directive is the whole wish. */
export interface ResidencyDirective {
  /** By group name; groups not named are kept in memory as the budget allows, in the order of use. */
  readonly groups?: Readonly<Record<string, Tier>>;
  /** Bytes of memory that weights may take, streaming buffers included. Default: no limit. */
  readonly maxInCpuBytes?: number;
  /** Groups that may be under way from disk at a time, the one in use included: 1 or more. Default 2. */
  readonly bufferCount?: number;
  /** Lock what is in memory. Default false. */
  readonly pinMemory?: boolean;
  /** Bytes that weights may take while gathered. Default: what the machine has available at that moment. */
  readonly maxGatheredBytes?: number;
}

/**
 * Which weights of one replica are in memory. Changes happen between two steps; what runs goes on with the same numbers.
 * A restart of the worker restores the last directive, and no `gather`.
 */
export interface Residency {
  /** What was last heard, at most some seconds ago; null while no worker serves. */
  readonly latest?: () => ResidencySummary | null;
  report(options: CallOptions): Promise<ResidencyReport>;
  /**
   * Moves the weights as the directive says. `{}` puts all of them into memory. Throws GatewayError `limit_exceeded` with
   * `details.missingBytes` when the budget is less than one step needs, `invalid_value` for an unknown group; nothing
   * has changed then.
   */
  apply(directive: ResidencyDirective, options: CallOptions): Promise<ResidencyReport>;
  /**
   * Brings exactly these groups into memory beside what the directive keeps there; groups of an earlier gather that are
   * not named go back. Idempotent. Throws `limit_exceeded` with `details.missingBytes`, and nothing has changed then.
   */
  gather(groups: readonly string[] | "all", options: CallOptions): Promise<ResidencyReport>;
  /** Gives back what was gathered: bytes by tier are again what the directive made them. Idempotent. */
  release(options: CallOptions): Promise<ResidencyReport>;
}

/** One call of a trainer that sends the tensors itself (vLLM's weight-transfer routes), in neutral form. */
export type TransferCall =
  /** `info`: vLLM's `init_info`, with this server's own `rank_offset` already in it. */
  | { readonly type: "join"; readonly info: Readonly<Record<string, unknown>> }
  | { readonly type: "start"; readonly checkpointFormat?: boolean }
  /** `update`: vLLM's `update_info`; a list has one payload per rank of this server. */
  | { readonly type: "update"; readonly update: Readonly<Record<string, unknown>> | readonly unknown[] }
  /** `label`: null leaves the server's own as it is. */
  | { readonly type: "finish"; readonly label: string | null }
  | { readonly type: "leave" };

/** Which process answers, and which weights it says it has. */
export interface TransferIdentity {
  /** Differs after a restart; null where the server gives no sign of it. */
  readonly instance: string | null;
  /** The label of the last finished update; null where the server has none to tell. */
  readonly label: string | null;
}

/**
 * A server that takes weights straight from a trainer. The gateway decides who may call what when; this only speaks.
 * A failed call rejects with a GatewayError whose `details.upstream` are the server's own words.
 */
export interface TransferTarget {
  /** One `update` is a whole update here: `start` and `finish` send nothing. */
  readonly sessionless: boolean;
  /** Throws GatewayError when this server has no way to take the call. Sends nothing. */
  check(call: TransferCall): void;
  /** Sends once, never repeats. Resolves when the server confirmed. */
  send(call: TransferCall, options: CallOptions): Promise<void>;
  identify(options: CallOptions): Promise<TransferIdentity>;
  /** The owner has met this process, and knows what it holds: it is not taken for a stranger by the next probe. */
  meet(identity: TransferIdentity): void;
  /** Ranks, with or without data parallelism. */
  worldSize(includeDp: boolean, options: CallOptions): Promise<number>;
}

/** A LoRA adapter, as a server is told to load one. */
export interface AdapterSpec {
  readonly name: string;
  /** A directory that the server itself can read. */
  readonly path: string;
  /** vLLM's `is_3d_lora_weight`: experts' weights in one tensor. Default false. */
  readonly is3d?: boolean;
}

/** A server that takes LoRA adapters while it runs. Calls are sent once, never repeated. */
export interface AdapterTarget {
  /**
   * Resolves when the server serves it. `replace`: also where the name is taken; else that is `invalid_value`, as in
   * vLLM. Throws `not_found` for a path without an adapter and for a server without the route.
   */
  load(spec: AdapterSpec, replace: boolean, options: CallOptions): Promise<void>;
  /** false: it was not there. */
  unload(name: string, options: CallOptions): Promise<boolean>;
  /** What the server holds now, by name: the path it was loaded from. */
  list(options: CallOptions): Promise<ReadonlyMap<string, string>>;
}

/** What an engine has to do at this moment. */
export interface EngineActivity {
  /** Sequences that are being computed. */
  readonly running: number;
  /** Sequences that wait for a slot, or for room in the KV cache. */
  readonly waiting: number;
  /** Sequences that left the KV cache for others and were recomputed, since the worker started. */
  readonly preemptions: number;
  /** Prompt tokens looked up in the prefix cache, and found there, since the worker started. */
  readonly prefixTokens: { readonly queried: number; readonly hit: number };
}

export interface TokenizeResult {
  readonly tokenIds: readonly number[];
  readonly tokenStrings: readonly string[];
}

export interface Engine {
  readonly kind: EngineKind;
  /** Base URL of an upstream; null for a worker process. */
  readonly url: string | null;
  /** First contact. Rejects with a GatewayError that says what is wrong and the mend. */
  start(options: CallOptions): Promise<EngineInfo>;
  /** Lets running requests finish until the signal aborts, then ends everything. Never rejects. */
  stop(options: CallOptions): Promise<void>;
  /** One health check; rejects when the replica cannot serve. */
  probe(options: CallOptions): Promise<void>;
  /** Of a start that is under way: bytes of weights read and to be read; null before and after. */
  readonly progress?: () => StageProgress | null;
  /** What was last heard, at most some seconds ago; null while no worker serves. */
  readonly activity?: () => EngineActivity | null;
  /** Subscribes to notices; returns the unsubscribe function. */
  subscribe(listener: (notice: EngineNotice) => void): () => void;
  readonly generate?: (request: GenerateRequest, options: CallOptions) => AsyncIterable<GenerateEvent>;
  /** Present on engines that speak HTTP; the answer is the upstream's own. */
  readonly forward?: (request: ForwardRequest, options: CallOptions) => Promise<Response | ExchangeAnswer>;
  /**
   * The first event of a forwarded stream, when it is an error: true when it says that the server is dead, and then the
   * engine has told its owner. Such a stream can be moved, for nothing of it has been given out.
   */
  readonly saysDead?: (text: string) => boolean;
  readonly tokenize?: (prompt: Prompt, options: CallOptions) => Promise<TokenizeResult>;
  readonly detokenize?: (tokenIds: readonly number[], options: CallOptions) => Promise<string>;
  readonly control?: EngineControl;
  readonly weights?: WeightTarget;
  readonly residency?: Residency;
  /**
   * Tells the engine what its owner holds for the weights it serves, whoever changed them; a null version: unknown.
   * For engines that cannot ask: they repeat it after a lost connection, as long as the same process answers.
   */
  noteWeights?(version: WeightVersion | null, digest: WeightDigest | null): void;
  readonly transfer?: TransferTarget;
  readonly adapters?: AdapterTarget;
  /**
   * A digest per parameter as the server holds it, by rank and name; null where it has no such route. Reads all weights,
   * and nothing is generated meanwhile. Comparable only with servers of the same layout.
   */
  checksums?(options: CallOptions): Promise<ReadonlyMap<string, string> | null>;
}

/** How to make an engine: plain data from the configuration. `create.ts` is the only switch over `kind`. */
export type EngineSpec =
  | {
      readonly kind: "embedded";
      /** Absolute path of a Hugging Face model directory or a GGUF file. */
      readonly model: string;
      readonly servedModelName: string;
      readonly maxConcurrency: number;
      /** undefined = the model's own. */
      readonly maxModelLen: number | undefined;
      readonly device: "auto" | "cpu" | "webgpu" | "cuda";
      /** How matrices are held; default `auto`. */
      readonly quantize?: "auto" | "none" | "keep" | "int8" | "int4";
      /** Bytes that the replica may take; undefined = what is free, shared by so many replicas. */
      readonly memoryBudget?: number | undefined;
      /** Tokens that may wait before requests are refused; default: no limit. */
      readonly maxQueuedTokens?: number | undefined;
      readonly replicas?: number;
      /** Token ids in and out, no text; default false. */
      readonly skipTokenizer?: boolean;
      /** Candidates per token at most; -1 = all; default: LOGPROBS_LIMIT. */
      readonly maxLogprobs?: number | undefined;
      /** What logprobs of output tokens are of; default `processed_logprobs`. */
      readonly logprobsMode?: "processed_logprobs" | "raw_logprobs";
      /** Where the weights are to be at first; default: all in memory. */
      /** A function is asked once, before the first worker loads; what it throws is why the engine cannot start. */
      readonly residency?: ResidencyDirective | (() => Promise<ResidencyDirective>);
      /** Where weights on disk are kept; default: the system's directory for temporary files. */
      readonly spoolDirectory?: string | undefined;
    }
  /** "auto": which of the two is found out at the first contact. */
  | { readonly kind: "vllm" | "trl" | "auto"; readonly url: string };

/** The weights a restarted worker must load before it serves: newest complete set first, then partial ones in order. */
export interface CurrentWeights {
  readonly version: WeightVersion;
  readonly digest: WeightDigest | null;
  /** Empty = the model directory's own weights. */
  readonly sets: readonly WeightSet[];
}
