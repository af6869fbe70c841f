/**
 * One worker process as the parent sees it: calls with answers, streams of events, a heartbeat, and an end that fails
 * everything that was under way. Does not restart anything.
 */
import type { GenerateEvent, GenerateRequest } from "../../contract/generation.ts";
import { GatewayError } from "../../errors.ts";
import type { Logger } from "../../observe/log.ts";
import type { Child, Clock } from "../../ports.ts";
import { encodeFrame, FrameReader } from "../../worker/frame.ts";
import {
  type CallName,
  type Calls,
  type FromWorker,
  fromWireError,
  fromWireEvent,
  PROTOCOL_VERSION,
  type ToWorker,
  toSummary,
} from "../../worker/protocol.ts";
import type { EngineActivity, ResidencyReport, ResidencySummary, StageProgress } from "../engine.ts";
import { EventQueue, INITIAL_CREDIT } from "./event-queue.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { PromptParts } from "./prompt-parts.ts";

/** Stays until the worker answers, also when its caller left: so long the longer patience holds. */
interface PendingCall {
  readonly type: CallName;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: ((progress: StageProgress) => void) | undefined;
}

/** Calls during which the worker's thread may be held by native code. */
const LOADING_CALLS: ReadonlySet<CallName> = new Set([
  "load",
  "stage",
  "commit",
  "sleep",
  "wakeUp",
  "applyResidency",
  "gather",
]);

/** Milliseconds between the request to stop and the kill: a worker has nothing to save. */
const STOP_GRACE = 1000;

/** Longest log line taken from a worker; native code can print whole graphs. */
const LINE_LIMIT = 4096;

/** Nobody of ours sent the signal; most often it is the kernel, or whoever watches a container's memory. */
const KILLED_FROM_OUTSIDE = "killed from outside; where memory ran out, --memory-budget keeps it lower";

/** Signals of a process that broke: in ours nothing can but native code. */
const CRASHES: ReadonlySet<string> = new Set(["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP"]);

/** What Bun prints of any crash: an address to report it to, and whose fault it thinks it is. */
const BUN_CRASH_LINE = /bun\.report|Bun has crashed|bug in Bun|Bun's team|GitHub issue using the link/;

export interface CallControl<Result> {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: StageProgress) => void;
  /** The worker did it; called also when the caller had left by then. */
  readonly onResult?: (result: Result) => void;
}

/** See the file's head. Takes over the child: nobody else may read its pipes. */
export class WorkerConnection {
  readonly #child: Child;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #calls = new Map<number, PendingCall>();
  readonly #streams = new Map<number, EventQueue>();
  readonly #pongs = new Map<number, () => void>();
  readonly #heartbeat: ReturnType<typeof startHeartbeat>;
  #nextId = 1;
  #greeted = false;
  #lastLine = "";
  #killReason: string | null = null;
  #gone: GatewayError | null = null;
  #hello: (error?: GatewayError) => void = () => {};
  #residency: ResidencySummary | null = null;
  #activity: Omit<EngineActivity, "prefixTokens"> = { running: 0, waiting: 0, preemptions: 0 };
  readonly #prompts = new PromptParts();
  #prefixTokens = { queried: 0, hit: 0 };
  /** Resolves with the worker's first word; rejects when it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone and everything under way has been failed with this error. */
  readonly ended: Promise<GatewayError>;

  constructor(child: Child, options: { readonly clock: Clock; readonly log: Logger }) {
    this.#child = child;
    this.#clock = options.clock;
    this.#log = options.log.with({ worker: child.pid });
    this.ready = new Promise((resolve, reject) => {
      this.#hello = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.ready.catch(() => {});
    this.#heartbeat = startHeartbeat({
      clock: options.clock,
      ping: () => this.#send({ type: "ping", sequence: 0 }),
      loading: () => this.loading,
      lost: (seconds) => this.kill(`it has not answered for ${seconds} s`),
    });
    this.ended = this.#watch();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The native code may hold the worker's thread; silence means nothing then. */
  get loading(): boolean {
    return !this.#greeted || [...this.#calls.values()].some(({ type }) => LOADING_CALLS.has(type));
  }

  /** Generations under way. */
  get active(): number {
    return this.#streams.size;
  }

  /** What the worker last said of its weights; null before it has a model. */
  get residency(): ResidencySummary | null {
    return this.#residency;
  }

  /** What the worker last said it has to do. */
  get activity(): EngineActivity {
    return { ...this.#activity, prefixTokens: this.#prefixTokens };
  }

  /** A call's answer is newer than the last heartbeat. */
  heardResidency(report: ResidencyReport): void {
    this.#residency = toSummary(report);
  }

  /** Sends a call and waits for its answer. An aborted signal cancels it in the worker and rejects with the reason. */
  async call<Name extends CallName>(
    type: Name,
    request: Calls[Name]["request"],
    control: CallControl<Calls[Name]["result"]> = {},
  ): Promise<Calls[Name]["result"]> {
    const { signal, onProgress } = control;
    signal?.throwIfAborted();
    if (this.#gone !== null) throw this.#gone;
    const id = this.#nextId;
    this.#nextId += 1;
    const frame = encodeFrame({ ...request, type, id });
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(id, {
        type,
        resolve: (result) => {
          control.onResult?.(result as Calls[Name]["result"]);
          resolve(result);
        },
        reject,
        onProgress,
      });
    });
    this.#write(frame);
    const cancel = (): void => {
      this.#send({ type: "cancel", id });
      this.#calls.get(id)?.reject(signal?.reason);
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return (await answer) as Calls[Name]["result"];
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Starts when it is first read; `return()` or the signal cancels it in the worker. */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    return {
      [Symbol.asyncIterator]: () => {
        signal.throwIfAborted();
        if (this.#gone !== null) throw this.#gone;
        const id = this.#nextId;
        this.#nextId += 1;
        const queue = new EventQueue({
          signal,
          onCredit: (events) => this.#send({ type: "credit", id, events }),
          onCancel: () => {
            this.#streams.delete(id);
            this.#prompts.forget(id);
            this.#send({ type: "cancel", id });
          },
        });
        // Before anything is kept: a request over the frame limit is refused here.
        const frame = encodeFrame({ type: "generate", id, request, credit: INITIAL_CREDIT } satisfies ToWorker);
        this.#streams.set(id, queue);
        this.#write(frame);
        return queue;
      },
    };
  }

  /** Resolves when the worker's loop has come round. */
  async ping(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#gone !== null) throw this.#gone;
    const sequence = this.#nextId;
    this.#nextId += 1;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#pongs.delete(sequence);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#pongs.set(sequence, () => {
        signal.removeEventListener("abort", abort);
        if (this.#gone === null) resolve();
        else reject(this.#gone);
      });
      this.#send({ type: "ping", sequence });
    });
  }

  /** Ends the process now. `reason` goes into the error of what was under way. */
  kill(reason: string): void {
    this.#killReason ??= reason;
    this.#child.kill("SIGKILL");
  }

  /** Asks the process to end, and ends it when it does not. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#killReason ??= "it was stopped";
    this.#send({ type: "stop" });
    const timer = this.#clock.timer(STOP_GRACE, () => this.#child.kill("SIGKILL"));
    await this.ended;
    timer.cancel();
  }

  #send(message: ToWorker): void {
    this.#write(encodeFrame(message));
  }

  /** A worker that is gone is noticed by its end, not by a failed write. */
  #write(frame: Uint8Array): void {
    if (this.#gone === null) this.#child.write(frame).catch(() => {});
  }

  async #watch(): Promise<GatewayError> {
    const lines = this.#readLines();
    try {
      await this.#readFrames();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.kill(`it sent what is no message (${reason})`);
    }
    const exit = await this.#child.exited;
    await lines;
    this.#heartbeat.stop();
    const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
    // Who is killed says nothing: the last line was about something else.
    const crash = exit.signal !== null && CRASHES.has(exit.signal);
    const last = crash
      ? ["native code crashed", this.#lastLine].filter((text) => text !== "").join("; ")
      : this.#lastLine;
    const said = this.#killReason ?? (exit.signal === "SIGKILL" ? KILLED_FROM_OUTSIDE : last);
    const why = said === "" ? "" : `: ${said}`;
    const gone = new GatewayError("replica_failed", `The worker process ${this.pid} ended (${how})${why}.`);
    this.#gone = gone;
    this.#hello(gone);
    for (const pending of this.#calls.values()) pending.reject(gone);
    for (const queue of this.#streams.values()) queue.fail(gone);
    const pongs = [...this.#pongs.values()];
    for (const collection of [this.#calls, this.#streams, this.#pongs]) collection.clear();
    for (const pong of pongs) pong();
    return gone;
  }

  async #readFrames(): Promise<void> {
    const reader = new FrameReader();
    for await (const chunk of this.#child.stdout) {
      this.#heartbeat.heard();
      for (const message of reader.push(chunk)) this.#receive(message as FromWorker);
    }
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    const say = (line: string): void => {
      if (line.trim() === "") return;
      const shown = line.slice(0, LINE_LIMIT);
      if (!BUN_CRASH_LINE.test(shown)) this.#lastLine = shown.trim();
      this.#log.warn("worker says", { line: shown });
    };
    try {
      for await (const chunk of this.#child.stderr) {
        const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = (parts.pop() ?? "").slice(0, LINE_LIMIT);
        for (const line of parts) say(line);
      }
    } catch {
      // The pipe of a killed process may end in an error; its exit says the rest.
    }
    say(rest);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "hello":
        this.#greeted = true;
        if (message.protocol === PROTOCOL_VERSION) this.#hello();
        else this.kill(`it speaks protocol ${message.protocol}, not ${PROTOCOL_VERSION}`);
        return;
      case "events": {
        const queue = this.#streams.get(message.id);
        const events = this.#prompts.join(message.id, message.events.map(fromWireEvent));
        if (events.at(-1)?.type === "end" || queue === undefined) {
          this.#streams.delete(message.id);
          this.#prompts.forget(message.id);
        }
        for (const event of events) {
          // Who asks for log probabilities of a prompt has all of it computed: nothing is looked up.
          if (event.type !== "prompt" || event.logprobs !== undefined) continue;
          this.#prefixTokens.queried += event.tokenIds.length;
          this.#prefixTokens.hit += event.cachedTokens;
        }
        queue?.push(events);
        return;
      }
      case "result":
        this.#calls.get(message.id)?.resolve(message.result);
        this.#calls.delete(message.id);
        return;
      case "error": {
        const error = fromWireError(message.error);
        this.#calls.get(message.id)?.reject(error);
        this.#calls.delete(message.id);
        this.#streams.get(message.id)?.fail(error);
        this.#streams.delete(message.id);
        this.#prompts.forget(message.id);
        return;
      }
      case "progress":
        this.#calls.get(message.id)?.onProgress?.(message);
        return;
      case "pong":
        if (message.residency !== null) this.#residency = message.residency;
        this.#activity = {
          running: message.running,
          waiting: message.waiting,
          preemptions: message.preemptions ?? 0,
        };
        this.#pongs.get(message.sequence)?.();
        this.#pongs.delete(message.sequence);
        return;
      case "log":
        this.#log[message.level](message.message, message.fields);
        return;
    }
  }
}
