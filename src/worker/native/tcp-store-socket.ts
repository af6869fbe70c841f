/** A connection to a TCPStore server: exact reads with a bound, writes that end when the system took them. */
import { connect, type Socket } from "node:net";
import { GatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import { ByteQueue } from "./tcp-store-bytes.ts";
import { protocolError } from "./tcp-store-wire.ts";

/** Bytes beyond what is being read after which the socket is paused: the rest stays with the system. */
const UNASKED_BYTES = 64 * 1024;

/** Silence after which the system asks whether the other host still lives, milliseconds: groups are idle for hours. */
export const KEEP_ALIVE = 30_000;

/** One open connection; one reader at a time. */
export class StoreSocket {
  readonly #socket: Socket;
  readonly #queue = new ByteQueue();
  readonly #lost = new AbortController();
  #wanted = 0;
  #arrived: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    const ended = "TCPStore: the server closed the connection.";
    socket.on("end", () => this.fail(new GatewayError("sync_failed", ended, { phase: "rendezvous" })));
    socket.on("close", () => this.fail(new GatewayError("sync_failed", ended, { phase: "rendezvous" })));
    socket.on("error", (cause) => {
      const text = `TCPStore: the connection to the server broke (${cause.message}).`;
      this.fail(new GatewayError("sync_failed", text, { phase: "rendezvous", cause }));
    });
  }

  /** Aborts, with the reason, when the connection ended; by whom does not matter. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends the connection at once; whoever waits gets `reason`. The first reason stays. */
  fail(reason: GatewayError): void {
    if (this.#lost.signal.aborted) return;
    this.#lost.abort(reason);
    this.#socket.destroy();
    this.#arrived?.();
  }

  /** Sends what was written, then ends the connection. */
  async end(reason: GatewayError, signal: AbortSignal): Promise<void> {
    if (this.#lost.signal.aborted) return;
    const flushed = new Promise<void>((resolve) => void this.#socket.end(() => resolve()));
    await orAborted(Promise.race([flushed, this.#gone()]), signal).catch(() => {});
    this.fail(reason);
  }

  /** Resolves when the system took the bytes. */
  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#lost.signal.throwIfAborted();
    const written = new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(this.#lost.signal.reason ?? error) : resolve()));
    });
    await orAborted(Promise.race([written, this.#gone()]), signal);
  }

  /** Fails the connection when bytes wait that no request asked for: they would be taken for the next answer. */
  expectQuiet(): void {
    this.#lost.signal.throwIfAborted();
    if (this.#queue.length === 0) return;
    const failure = protocolError("the server sends bytes that nobody asked for.");
    this.fail(failure);
    throw failure;
  }

  /** Exactly `count` bytes; the caller has bounded `count`. */
  async read(count: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    this.#wanted = count;
    if (this.#queue.length < count) this.#socket.resume();
    try {
      while (this.#queue.length < count) {
        this.#lost.signal.throwIfAborted();
        await orAborted(new Promise<void>((resolve) => (this.#arrived = resolve)), signal);
      }
      return this.#queue.take(count);
    } finally {
      this.#wanted = 0;
      this.#arrived = undefined;
    }
  }

  #gone(): Promise<never> {
    return new Promise((_, reject) => {
      const signal = this.#lost.signal;
      if (signal.aborted) reject(signal.reason);
      else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  #receive(chunk: Uint8Array): void {
    if (this.#lost.signal.aborted) return;
    this.#queue.push(chunk);
    if (this.#queue.length > this.#wanted + UNASKED_BYTES) this.#socket.pause();
    if (this.#queue.length >= this.#wanted) this.#arrived?.();
  }
}

/** Opens one connection; rejects with the system's error. */
export function openStoreSocket(host: string, port: number, signal: AbortSignal): Promise<StoreSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const leave = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const fail = (error: Error): void => {
      signal.removeEventListener("abort", leave);
      socket.destroy();
      reject(error);
    };
    socket.once("error", fail);
    signal.addEventListener("abort", leave, { once: true });
    socket.once("connect", () => {
      signal.removeEventListener("abort", leave);
      socket.off("error", fail);
      if (signal.aborted) leave();
      else resolve(new StoreSocket(socket));
    });
  });
}
