/**
 * A client of torch's TCPStore: what `torch.distributed.TCPStore(is_master=False)` does on the wire. One request at a
 * time; every wait has a deadline. Knows keys and bytes, nothing of groups or pickles.
 */
import { GatewayError, invalidValue } from "../../errors.ts";
import { orAborted, sleep } from "../../lib/deadline.ts";
import type { Clock } from "../../ports.ts";
import { type Part, toMessage, toSigned, toUnsigned } from "./tcp-store-bytes.ts";
import { type CallOptions, withDeadline } from "./tcp-store-deadline.ts";
import { openStoreSocket, type StoreSocket } from "./tcp-store-socket.ts";
import { JOIN_KEY } from "./tcp-store-state.ts";
import {
  CHECK_REPLY,
  DEFAULT_TCP_STORE_LIMITS,
  protocolError,
  QUERY,
  type TcpStoreLimits,
  toBoundedLength,
  VALIDATION_MAGIC,
  WAIT_REPLY,
} from "./tcp-store-wire.ts";

/** Where to connect and how long to wait. */
export interface TcpStoreClientOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Default of every call, connecting included: milliseconds. torch's own is 300 000; ours is 60 000. */
  readonly timeout?: number;
  /** Gives up connecting; later calls have signals of their own. */
  readonly signal?: AbortSignal;
  /** The longest value that is accepted and sent. */
  readonly valueBytes?: number;
  /** Echoed by the server; torch sends its process id. */
  readonly nonce?: number;
}

const DEFAULT_TIMEOUT = 60_000;
/** First and longest pause between two attempts to connect. */
const RETRY_FIRST = 20;
const RETRY_LONGEST = 1000;
/** Until a server must have answered CANCEL_WAIT, or taken the last bytes of a closing connection. */
const GRACE = 5000;
/** Until one attempt at a handshake is given up and another begins, where the whole deadline is longer. */
const HANDSHAKE_TIMEOUT = 10_000;
const NONCE = 0x7469_6465;
/** Addresses that name no machine; a member that was told one can reach nobody. */
const WILDCARDS = new Set(["0.0.0.0", "::", "[::]", "*", ""]);

const utf8 = new TextEncoder();

/** A connected client. Keys are the application's own: the `/` that torch puts before them is added here. */
export class TcpStoreClient {
  readonly #socket: StoreSocket;
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #limits: TcpStoreLimits;
  readonly #where: string;
  #last: Promise<unknown> = Promise.resolve();

  /** Use `connectTcpStore`. */
  constructor(socket: StoreSocket, options: TcpStoreClientOptions) {
    this.#socket = socket;
    this.#clock = options.clock;
    this.#timeout = options.timeout ?? DEFAULT_TIMEOUT;
    const valueBytes = options.valueBytes ?? DEFAULT_TCP_STORE_LIMITS.valueBytes;
    this.#limits = { ...DEFAULT_TCP_STORE_LIMITS, valueBytes };
    this.#where = `TCPStore ${options.host}:${options.port}`;
  }

  /** Aborts, with the reason, as soon as the server or the connection is gone, or this client was closed. */
  get lost(): AbortSignal {
    return this.#socket.lost;
  }

  /** Counts this process as a member (torch's `wait_for_workers`); resolves with the members so far. */
  async join(options?: CallOptions): Promise<number> {
    return Number(await this.#add(utf8.encode(JOIN_KEY), 1n, "join", options));
  }

  /** Stores a value. The server does not answer; `ping` proves that it took it. */
  async set(key: string, value: Uint8Array, options?: CallOptions): Promise<void> {
    const message = toMessage({ u8: QUERY.set }, ...this.#key(key), ...this.#value(value));
    await this.#call(options, `set ${key}`, (signal) => this.#socket.write(message, signal));
  }

  /** Waits until the key exists and reads it. */
  get(key: string, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    const wait = toMessage({ u8: QUERY.wait }, { u64: 1 }, ...this.#key(key));
    const get = toMessage({ u8: QUERY.get }, ...this.#key(key));
    return this.#call(options, `waiting for the key ${key}`, async (signal) => {
      await this.#waitFor(wait, signal);
      await this.#socket.write(get, signal);
      return await this.#readVector(signal);
    });
  }

  /** Waits until all keys exist. */
  async wait(keys: readonly string[], options?: CallOptions): Promise<void> {
    const message = toMessage({ u8: QUERY.wait }, ...this.#keys(keys));
    await this.#call(options, `waiting for the keys ${keys.slice(0, 8).join(", ")}`, (signal) =>
      this.#waitFor(message, signal),
    );
  }

  /** True when all keys exist now. */
  check(keys: readonly string[], options?: CallOptions): Promise<boolean> {
    const message = toMessage({ u8: QUERY.check }, ...this.#keys(keys));
    return this.#call(options, "check", async (signal) => {
      await this.#socket.write(message, signal);
      const reply = (await this.#socket.read(1, signal))[0]!;
      if (reply !== CHECK_REPLY.ready && reply !== CHECK_REPLY.notReady) {
        throw protocolError(`the server answered CHECK with ${reply}.`);
      }
      return reply === CHECK_REPLY.ready;
    });
  }

  /** Adds to a counter (missing: 0) and returns the sum; wraps at 64 bits. */
  add(key: string, delta: bigint, options?: CallOptions): Promise<bigint> {
    return this.#add(utf8.encode(`/${key}`), delta, `add ${key}`, options);
  }

  /** Stores `desired` when the value is `expected` (empty: also when the key is missing); returns what torch returns. */
  compareSet(key: string, expected: Uint8Array, desired: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const values = [...this.#value(expected), ...this.#value(desired)];
    const message = toMessage({ u8: QUERY.compareSet }, ...this.#key(key), ...values);
    return this.#call(options, `compare and set ${key}`, async (signal) => {
      await this.#socket.write(message, signal);
      return await this.#readVector(signal);
    });
  }

  /** True when the key was there. */
  async deleteKey(key: string, options?: CallOptions): Promise<boolean> {
    const message = toMessage({ u8: QUERY.deleteKey }, ...this.#key(key));
    return (await this.#integer(message, `delete ${key}`, options)) === 1n;
  }

  /** Keys of the whole store, the counter of members included. */
  async keyCount(options?: CallOptions): Promise<number> {
    return Number(await this.#integer(toMessage({ u8: QUERY.keyCount }), "count keys", options));
  }

  /** Resolves when the server has processed everything sent before. */
  async ping(options?: CallOptions): Promise<void> {
    await this.#call(options, "ping", (signal) => ping(this.#socket, NONCE, signal));
  }

  /** Sends what is written and disconnects; idempotent. Calls that wait fail. */
  async close(): Promise<void> {
    const reason = new GatewayError("sync_failed", `${this.#where}: this client was closed.`, { phase: "rendezvous" });
    await withDeadline(
      this.#clock,
      { timeout: GRACE },
      () => "closing",
      (signal) => this.#socket.end(reason, signal),
    );
  }

  #key(key: string): Part[] {
    const bytes = utf8.encode(`/${key}`);
    if (bytes.length > this.#limits.keyBytes) {
      throw invalidValue("key", key, `a key of at most ${this.#limits.keyBytes} bytes`);
    }
    return [{ u64: bytes.length }, bytes];
  }

  #keys(keys: readonly string[]): Part[] {
    if (keys.length > this.#limits.keysPerRequest) {
      throw invalidValue("keys", keys.length, `at most ${this.#limits.keysPerRequest} keys`);
    }
    return [{ u64: keys.length }, ...keys.flatMap((key) => this.#key(key))];
  }

  #value(value: Uint8Array): Part[] {
    if (value.length > this.#limits.valueBytes) {
      throw invalidValue("value", `${value.length} bytes`, `at most ${this.#limits.valueBytes} bytes`);
    }
    return [{ u64: value.length }, value];
  }

  #add(key: Uint8Array, delta: bigint, what: string, options?: CallOptions): Promise<bigint> {
    return this.#integer(toMessage({ u8: QUERY.add }, { u64: key.length }, key, { i64: delta }), what, options);
  }

  #integer(message: Uint8Array, what: string, options?: CallOptions): Promise<bigint> {
    return this.#call(options, what, async (signal) => {
      await this.#socket.write(message, signal);
      return toSigned(await this.#socket.read(8, signal));
    });
  }

  async #readVector(signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const length = toUnsigned(await this.#socket.read(8, signal));
    return await this.#socket.read(toBoundedLength(length, this.#limits.valueBytes, "a value"), signal);
  }

  /** Waits; when the time is over the wait is taken back, so that the connection can be used further. */
  async #waitFor(message: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#socket.write(message, signal);
    let reply: number;
    try {
      reply = (await this.#socket.read(1, signal))[0]!;
    } catch (error) {
      if (!signal.aborted || this.#socket.lost.aborted) throw error;
      await this.#cancelWait();
      throw new Withdrawn(error);
    }
    if (reply !== WAIT_REPLY.stopWaiting) throw protocolError(`the server answered WAIT with ${reply}.`);
  }

  /** The key may come while we cancel: then two answers arrive, of which the second belongs to CANCEL_WAIT. */
  async #cancelWait(): Promise<void> {
    const where = () => `${this.#where}: the server does not answer CANCEL_WAIT`;
    await withDeadline(this.#clock, { timeout: GRACE }, where, async (signal) => {
      await this.#socket.write(toMessage({ u8: QUERY.cancelWait }), signal);
      let reply = (await this.#socket.read(1, signal))[0]!;
      if (reply === WAIT_REPLY.stopWaiting) reply = (await this.#socket.read(1, signal))[0]!;
      if (reply !== WAIT_REPLY.canceled) throw protocolError(`the server answered CANCEL_WAIT with ${reply}.`);
    });
  }

  /** Runs one exchange when it is its turn. A failure in the middle leaves the stream unusable, so it is closed. */
  #call<T>(options: CallOptions | undefined, what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const bound = { timeout: options?.timeout ?? this.#timeout, signal: options?.signal };
    const run = (signal: AbortSignal, turn: Promise<unknown>): Promise<T> =>
      orAborted(turn, signal).then(async () => {
        this.#socket.expectQuiet();
        return await work(signal).catch((error) => {
          if (error instanceof Withdrawn) throw error.reason;
          const failed = error instanceof GatewayError ? error : protocolError(`${what}: interrupted.`);
          this.#socket.fail(failed);
          throw error;
        });
      });
    const turn = this.#last;
    let done: () => void = () => {};
    const mine = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#last = turn.then(() => mine);
    return withDeadline(
      this.#clock,
      bound,
      () => `${this.#where}: ${what}`,
      (signal) => run(signal, turn),
    ).finally(done);
  }
}

/** A wait that ended early and was taken back cleanly. */
class Withdrawn extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super("withdrawn");
    this.reason = reason;
  }
}

async function ping(socket: StoreSocket, nonce: number, signal: AbortSignal): Promise<void> {
  await socket.write(toMessage({ u8: QUERY.ping }, { u32: nonce }), signal);
  const echoed = Number(toUnsigned(await socket.read(4, signal)));
  if (echoed !== nonce) {
    const failure = protocolError("what answers there is no TCPStore (PING was answered with something else).");
    socket.fail(failure);
    throw failure;
  }
}

/** One attempt: connect, VALIDATE, PING. */
async function shakeHands(options: TcpStoreClientOptions, signal: AbortSignal): Promise<StoreSocket> {
  const socket = await openStoreSocket(options.host, options.port, signal);
  try {
    await socket.write(toMessage({ u8: QUERY.validate }, { u32: VALIDATION_MAGIC }), signal);
    await ping(socket, options.nonce ?? NONCE, signal);
    return socket;
  } catch (error) {
    socket.fail(protocolError("the handshake failed."));
    throw error;
  }
}

/**
 * Connects to a TCPStore server, trying again until the deadline: the server may start later than its clients.
 *
 * @throws GatewayError `invalid_value` for a wildcard address, `deadline_exceeded` with the last failure as its cause,
 *   `sync_failed` when something else than a TCPStore answers; or the signal's reason.
 */
export async function connectTcpStore(options: TcpStoreClientOptions): Promise<TcpStoreClient> {
  const { host, port, clock, timeout = DEFAULT_TIMEOUT, signal } = options;
  if (WILDCARDS.has(host)) {
    throw invalidValue("host", host, "an address that this machine can reach; a wildcard is only for listening");
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalidValue("port", port, "an integer from 1 to 65535");
  }
  let failure: unknown;
  const unreachable = () => {
    const last = failure instanceof Error ? `: ${failure.message}` : "";
    return `TCPStore: no connection to ${host}:${port}${last}`;
  };
  return await withDeadline(clock, { timeout, signal }, unreachable, async (bounded) => {
    for (let pause = RETRY_FIRST; ; pause = Math.min(pause * 2, RETRY_LONGEST)) {
      try {
        const silent = () => "nothing answered the handshake";
        const attempt = (one: AbortSignal) => shakeHands(options, one);
        const socket = await withDeadline(clock, { timeout: HANDSHAKE_TIMEOUT, signal: bounded }, silent, attempt);
        return new TcpStoreClient(socket, options);
      } catch (error) {
        if (bounded.aborted) throw bounded.reason;
        if (error instanceof GatewayError && error.message.includes("is no TCPStore")) throw error;
        failure = error;
      }
      await sleep(clock, pause, bounded);
    }
  });
}
