/** What one fake vLLM server remembers: its options, its injected faults, what it saw, and the engine's few states. */

import { FakeAdapters } from "./adapters.ts";
import { createTcpPeer } from "./tcp-peer.ts";
import { FakeTransfer, type Peer } from "./transfer.ts";

/** Faults, as `POST /__fake/faults` takes them; each call replaces the whole set, `{}` ends all. */
export interface Faults {
  /** Paths that the request faults below hit; default: the generation routes. */
  readonly paths?: readonly string[];
  /** How many requests they hit before they end; default: all. */
  readonly count?: number;
  /** Answer this status with vLLM's error shape (or `body`) instead of generating. */
  readonly status?: number;
  readonly body?: string;
  /** Wait so long before the response head. */
  readonly delayHeadMs?: number;
  /** Close the connection without a response. */
  readonly drop?: boolean;
  /** Close the connection without a response, but only where it already carried a request before (uvicorn's idle close race). */
  readonly dropReused?: boolean;
  /** Close the connection after so many chunks of the body. */
  readonly dropAfterChunks?: number;
  /** Take the request and never answer. */
  readonly hang?: boolean;
  /** After so many chunks send vLLM's error event and [DONE]. */
  readonly errorAfterChunks?: number;
  /** 500 "EngineCore encountered an issue..." to every generation. */
  readonly engineDead?: boolean;
  /** 500 "cannot schedule new futures after shutdown" to every generation while /health stays 200. */
  readonly shuttingDown?: boolean;
  /** The fault comes after the call has been carried out; default: before. For `status`, `hang`, `drop`. */
  readonly after?: boolean;
  /** Another process takes over at this call: before it is carried out, or `after`. */
  readonly restart?: boolean;
  /** Say that it worked and do nothing. */
  readonly lie?: boolean;
  /** The call arrives twice, one directly after the other; the second one's answer goes back. */
  readonly duplicate?: boolean;
  /** Carry it out, send the head and half of the body, close. */
  readonly resetMidBody?: boolean;
  /** What GET /health does: 503, no answer, or a closed connection. */
  readonly health?: "unavailable" | "hang" | "drop";
  /** Close idle keep-alive connections after so long; vLLM: 5000. */
  readonly closeIdleMs?: number;
}

/** A fixed answer to every generation route, byte for byte; `null` in /__fake/answer ends it. */
export interface FixedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly Uint8Array[];
  /** Pause before each chunk but the first. */
  readonly delayMs: number;
}

/** One request as it arrived. */
export interface SeenRequest {
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly target: string;
  /** Names in lower case; in order of arrival, duplicates kept. */
  readonly headers: readonly (readonly [string, string])[];
  body: Uint8Array;
  status: number | null;
  /** When the answer was complete. */
  endedAt: number | null;
  /** When the client went away before that. */
  disconnectedAt: number | null;
}

export interface FakeVllmOptions {
  /** Default 0: a free port. */
  readonly port?: number;
  readonly host?: string;
  /** For humans; answers carry it in `x-fake-name`. Default "fake". */
  readonly name?: string;
  /** Default ["tiny"]. */
  readonly models?: readonly string[];
  /** Default 2048. */
  readonly maxModelLen?: number;
  /** Default 1. */
  readonly worldSize?: number;
  /** Dev routes exist; default true. */
  readonly devMode?: boolean;
  /** Bearer key for /v1; default none. */
  readonly apiKey?: string;
  /** Pause between two tokens; default 0. */
  readonly tokenDelayMs?: number;
  /** Which weights it starts with: another number, other greedy answers. Default 0. */
  readonly weights?: number;
  /** Keep the bodies of seen requests (load tests turn it off); default true. */
  readonly keepBodies?: boolean;
  readonly faults?: Faults;
  /** Which vLLM it is; default "0.32.0". */
  readonly version?: string;
  /** VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and --enable-lora; default true. */
  readonly lora?: boolean;
  /** How it finds a trainer; default: over TCP. */
  readonly peer?: Peer;
}

/** Seen requests kept; older ones are forgotten, the counters go on. */
const LOG_LIMIT = 20_000;

export class FakeState {
  readonly name: string;
  readonly models: readonly string[];
  readonly maxModelLen: number;
  readonly worldSize: number;
  readonly devMode: boolean;
  readonly apiKey: string | null;
  readonly keepBodies: boolean;
  tokenDelayMs: number;
  faults: Faults;
  faultsLeft: number;
  answer: FixedAnswer | null = null;

  seen: SeenRequest[] = [];
  total = 0;
  concurrent = 0;
  maxConcurrent = 0;
  disconnects = 0;
  connections = 0;

  readonly version: string;
  readonly #peer: Peer;
  readonly #startWeights: number;
  /** Which weights it was started with, or was told to have. */
  weights: number;
  weightVersion = "default";
  transfer: FakeTransfer;
  readonly lora: boolean;
  /** A tensor whose bytes are not those that were sent. */
  corrupt: string | null = null;
  adapters: FakeAdapters;
  /** Seconds since the epoch; another one after a restart. */
  startedAt = Date.now() / 1000;
  paused = false;
  sleeping = false;
  dead = false;
  /** Parameters are empty (an update began and has not ended well): the next generation kills the engine. */
  empty = false;
  running = new Set<{ abort: boolean }>();
  readonly #waiters = new Set<() => void>();

  constructor(options: FakeVllmOptions) {
    this.name = options.name ?? "fake";
    this.models = options.models ?? ["tiny"];
    this.maxModelLen = options.maxModelLen ?? 2048;
    this.worldSize = options.worldSize ?? 1;
    this.devMode = options.devMode ?? true;
    this.apiKey = options.apiKey ?? null;
    this.keepBodies = options.keepBodies ?? true;
    this.tokenDelayMs = options.tokenDelayMs ?? 0;
    this.weights = options.weights ?? 0;
    this.#startWeights = this.weights;
    this.version = options.version ?? "0.32.0";
    this.lora = options.lora ?? true;
    this.adapters = new FakeAdapters(this.models, this.version);
    this.#peer = options.peer ?? createTcpPeer();
    this.transfer = this.#newTransfer();
    this.faults = options.faults ?? {};
    this.faultsLeft = this.faults.count ?? Number.POSITIVE_INFINITY;
  }

  #newTransfer(): FakeTransfer {
    return new FakeTransfer({ version: this.version, worldSize: this.worldSize, peer: this.#peer });
  }

  /** Milliseconds since the epoch: until then nobody answers. */
  downUntil = 0;

  /** What a new process behind the same address begins with, after the time that it takes to start. */
  reborn(startMilliseconds = 0): void {
    this.downUntil = Date.now() + startMilliseconds;
    this.transfer = this.#newTransfer();
    this.adapters = new FakeAdapters(this.models, this.version);
    this.weights = this.#startWeights;
    this.weightVersion = "default";
    this.startedAt += 1;
    this.paused = this.sleeping = this.dead = false;
    this.running.clear();
    this.changed();
  }

  /** A session is open. */
  get updating(): boolean {
    return this.transfer.active;
  }

  set updating(now: boolean) {
    this.transfer.active = now;
  }

  /** An update is open, or one has failed: the next generation kills the server. */
  get deadly(): boolean {
    return this.transfer.active || this.transfer.empty;
  }

  /** Which weights answer: what it was started with, and what it received since. */
  get serving(): number {
    return (this.weights + this.transfer.weightsNumber()) % 2 ** 31;
  }

  setFaults(faults: Faults): void {
    this.faults = faults;
    this.faultsLeft = faults.count ?? Number.POSITIVE_INFINITY;
    this.changed();
  }

  record(method: string, target: string, rawHeaders: readonly string[]): SeenRequest {
    const headers: [string, string][] = [];
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      headers.push([String(rawHeaders[index]).toLowerCase(), String(rawHeaders[index + 1])]);
    }
    this.total += 1;
    const seen: SeenRequest = {
      seq: this.total,
      at: Date.now(),
      method,
      target,
      headers,
      body: new Uint8Array(0),
      status: null,
      endedAt: null,
      disconnectedAt: null,
    };
    this.seen.push(seen);
    if (this.seen.length > LOG_LIMIT) this.seen = this.seen.slice(LOG_LIMIT / 2);
    return seen;
  }

  /** Wakes everything that waits for `until`. */
  changed(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  /** Resolves when `condition` holds, looked at after every change. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
