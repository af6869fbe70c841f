/**
 * A communicator worker as its owner sees it: calls with answers, bytes under credit, and an end that fails everything
 * under way. The process that drives a GPU group is never this one: a hang of NCCL ends with a killed worker, and the
 * next group gets a new one.
 */
import { GatewayError } from "../errors.ts";
import type { Child, Clock, Spawn } from "../ports.ts";
import {
  COMMUNICATOR_PROTOCOL,
  type CommunicatorCall,
  type CommunicatorCalls,
  DATA_CREDIT,
  DATA_PIECE,
  type FromCommunicator,
  type ToCommunicator,
} from "../worker/communicator-protocol.ts";
import { encodeBytesFrame, encodeFrame, FrameReader } from "../worker/frame.ts";
import { fromWireError } from "../worker/protocol.ts";

/** A given-up call is answered as soon as NCCL's abort is through; a worker that takes longer hangs in native code. */
const CANCEL_GRACE = 10_000;
/** Closing aborts every group. */
const STOP_GRACE = 3000;
/** Longest line of the worker that is kept. */
const LINE_LIMIT = 2000;

/** What starts a worker. */
export interface CommunicatorPorts {
  readonly spawn: Spawn;
  readonly clock: Clock;
}

/** What a call gives and gets besides its answer. */
export interface CommunicatorCallOptions {
  /** Gives the call up; the group of the call is aborted then. */
  readonly signal: AbortSignal;
  /** `open` as rank 0: the store listens. */
  readonly onListening?: (host: string, port: number) => void;
  readonly onProgress?: (through: { readonly tensors: number; readonly bytes: number }) => void;
  /** `send`: the bytes, in order; read as fast as the device takes them. */
  readonly source?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** `receive`: the bytes, in order; the next piece comes when the promise is kept. */
  readonly sink?: (piece: Uint8Array) => void | Promise<void>;
}

interface Pending {
  readonly options: CommunicatorCallOptions;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  credit: number;
  wake: (() => void) | undefined;
  /** Pieces are taken one after another. */
  taken: Promise<void>;
}

/** One worker. Several groups can live in it. */
export class CommunicatorProcess {
  readonly #child: Child;
  readonly #clock: Clock;
  readonly #onLost: ((group: string, error: GatewayError) => void) | undefined;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #lastLine = "";
  #killReason: string | null = null;
  #gone: GatewayError | null = null;
  /** Resolves when the process is gone and everything under way was failed with this error. */
  readonly ended: Promise<GatewayError>;

  /** Starts a process; nothing is loaded in it before the first `open`. `onLost`: a group that was open lost a member. */
  constructor({ spawn, clock }: CommunicatorPorts, onLost?: (group: string, error: GatewayError) => void) {
    this.#clock = clock;
    this.#onLost = onLost;
    this.#child = spawn(new URL("../worker/communicator-main.ts", import.meta.url), []);
    this.ended = this.#watch();
  }

  /** Of the worker. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Why it ended; null while it lives. */
  get gone(): GatewayError | null {
    return this.#gone;
  }

  /** One call. Rejects with the worker's GatewayError, with that of its death, or with the signal's reason. */
  async call<Name extends CommunicatorCall>(
    type: Name,
    request: CommunicatorCalls[Name]["request"],
    options: CommunicatorCallOptions,
  ): Promise<CommunicatorCalls[Name]["result"]> {
    const { signal } = options;
    signal.throwIfAborted();
    if (this.#gone !== null) throw this.#gone;
    const id = this.#nextId;
    this.#nextId += 1;
    let grace: { cancel(): void } | undefined;
    const cancel = (): void => {
      this.#send({ type: "cancel", id });
      grace = this.#clock.timer(CANCEL_GRACE, () => this.kill("it did not end a call that was given up"));
    };
    try {
      const answer = new Promise<unknown>((resolve, reject) => {
        const taken = Promise.resolve();
        this.#pending.set(id, { options, resolve, reject, credit: DATA_CREDIT, wake: undefined, taken });
      });
      this.#send({ ...request, type, id } as ToCommunicator);
      signal.addEventListener("abort", cancel, { once: true });
      if (options.source !== undefined) {
        // A source that fails must end the broadcast that waits for it.
        this.#feed(id, options.source).catch((error) => {
          this.#send({ type: "cancel", id });
          this.#pending.get(id)?.reject(error);
        });
      }
      return (await answer) as CommunicatorCalls[Name]["result"];
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", cancel);
      grace?.cancel();
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      pending?.wake?.();
    }
  }

  /** Ends the process now; `reason` goes into the error of what was under way. */
  kill(reason: string): void {
    this.#killReason ??= reason;
    this.#child.kill("SIGKILL");
  }

  /** Ends all groups, then the process. Idempotent; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#killReason ??= "it was closed";
    this.#send({ type: "stop" });
    const timer = this.#clock.timer(STOP_GRACE, () => this.#child.kill("SIGKILL"));
    await this.ended;
    timer.cancel();
  }

  /** Pieces as the worker's credit allows. */
  async #feed(id: number, source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    for await (const whole of source) {
      for (let at = 0; at < whole.length; at += DATA_PIECE) {
        const bytes = whole.subarray(at, at + DATA_PIECE);
        for (;;) {
          const pending = this.#pending.get(id);
          // The call ended: the rest is of no use.
          if (pending === undefined || this.#gone !== null) return;
          if (pending.credit >= bytes.length) {
            pending.credit -= bytes.length;
            break;
          }
          await new Promise<void>((resolve) => {
            pending.wake = resolve;
          });
        }
        const [head, body] = encodeBytesFrame({ type: "data", id }, bytes);
        this.#write(head);
        await this.#child.write(body).catch(() => {});
      }
    }
  }

  #send(message: ToCommunicator): void {
    this.#write(encodeFrame(message));
  }

  /** A worker that is gone is noticed by its end, not by a failed write. */
  #write(frame: Uint8Array): void {
    if (this.#gone === null) this.#child.write(frame).catch(() => {});
  }

  async #watch(): Promise<GatewayError> {
    const lines = this.#readLines();
    try {
      const reader = new FrameReader();
      for await (const chunk of this.#child.stdout) {
        for (const message of reader.push(chunk)) this.#receive(message as FromCommunicator);
      }
    } catch (error) {
      this.kill(`it sent what is no message (${error instanceof Error ? error.message : String(error)})`);
    }
    const exit = await this.#child.exited;
    await lines;
    const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
    const why = this.#killReason ?? this.#lastLine;
    const text = `The communicator's worker process ${this.pid} ended (${how})${why === "" ? "" : `: ${why}`}.`;
    const gone = new GatewayError("sync_failed", text, { phase: "transfer" });
    this.#gone = gone;
    for (const pending of this.#pending.values()) {
      pending.reject(gone);
      pending.wake?.();
    }
    return gone;
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.#child.stderr) {
        const line = decoder.decode(chunk).trim().split("\n").at(-1) ?? "";
        if (line !== "") this.#lastLine = line.slice(0, LINE_LIMIT);
      }
    } catch {
      // The pipe of a killed process may end in an error; its exit says the rest.
    }
  }

  #receive(message: FromCommunicator): void {
    if (message.type === "hello") {
      if (message.protocol !== COMMUNICATOR_PROTOCOL) this.kill(`it speaks protocol ${message.protocol}`);
      return;
    }
    if (message.type === "lost") {
      this.#onLost?.(message.group, fromWireError(message.error));
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    switch (message.type) {
      case "listening":
        pending.options.onListening?.(message.host, message.port);
        return;
      case "progress":
        pending.options.onProgress?.(message);
        return;
      case "credit":
        pending.credit += message.bytes;
        pending.wake?.();
        return;
      case "data": {
        const { id, bytes } = message;
        pending.taken = pending.taken.then(async () => {
          await pending.options.sink?.(bytes);
          this.#send({ type: "credit", id, bytes: bytes.length });
        });
        pending.taken.catch((error: unknown) => {
          this.#send({ type: "cancel", id });
          pending.reject(error);
        });
        return;
      }
      case "result":
        // Not before the last piece was taken.
        pending.taken.then(() => pending.resolve(message.result), pending.reject);
        return;
      case "error":
        pending.reject(fromWireError(message.error));
        return;
    }
  }
}
