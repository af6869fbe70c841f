/**
 * torch's TCPStore server: the store that rank 0 of a group hosts. Sockets, bounds and deadlines of connections; what the
 * requests mean is in `tcp-store-state.ts`. The protocol has no authentication: bind it to an address that only the
 * members of the group reach.
 */
import { createServer, type Server, type Socket } from "node:net";
import { GatewayError, invalidValue, toGatewayError } from "../../errors.ts";
import type { Clock, Timer } from "../../ports.ts";
import { type CallOptions, withDeadline } from "./tcp-store-deadline.ts";
import { KEEP_ALIVE } from "./tcp-store-socket.ts";
import { type TcpStorePeer, TcpStoreState } from "./tcp-store-state.ts";
import { DEFAULT_TCP_STORE_LIMITS, type TcpStoreLimits, TcpStoreParser } from "./tcp-store-wire.ts";

/** Settings of a server. Times in milliseconds. */
export interface TcpStoreServerOptions {
  /** The address to listen on, exactly: torch's peers connect to the same text. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly limits?: Partial<TcpStoreLimits>;
  /** Connections at once; more are closed at once. Default 1024. */
  readonly maxConnections?: number;
  /** Until a new connection must have sent VALIDATE. Default 10 000. */
  readonly handshakeTimeout?: number;
  /** Until a request that began must be complete. Default 30 000. */
  readonly requestTimeout?: number;
  /** Told of every connection that was refused or broke the protocol, with the peer's address. */
  readonly onFault?: (error: GatewayError, peer: string) => void;
}

/** A running store. */
export interface TcpStoreServer {
  readonly host: string;
  readonly port: number;
  /** Open connections. */
  readonly connections: number;
  /** Clients that joined and are still connected; falls when one dies. */
  readonly members: number;
  /** Bytes held for keys and values. */
  readonly bytes: number;
  /** Number of keys. */
  readonly size: number;
  /**
   * Resolves when `count` clients have joined and are still connected (torch's `wait_for_workers`, which counts the dead too).
   *
   * @throws GatewayError `deadline_exceeded` that says how many came (default 60 000 ms), or the signal's reason.
   */
  waitForMembers(count: number, options?: CallOptions): Promise<void>;
  /** Closes the port and every connection; idempotent. */
  close(): Promise<void>;
}

/** Replies that a client does not read before we stop reading its requests. */
const UNREAD_REPLY_BYTES = 4 * 2 ** 20;

const MEMBERS_TIMEOUT = 60_000;

interface Shared {
  readonly state: TcpStoreState;
  readonly limits: TcpStoreLimits;
  readonly clock: Clock;
  readonly handshakeTimeout: number;
  readonly requestTimeout: number;
  readonly onFault: (error: GatewayError, peer: string) => void;
  readonly changed: () => void;
}

/** One client: its parser, its deadline, its place in the store. */
class Connection implements TcpStorePeer {
  readonly #shared: Shared;
  readonly #socket: Socket;
  readonly #parser: TcpStoreParser;
  readonly #address: string;
  #timer: Timer | undefined;
  #closed = false;

  constructor(shared: Shared, socket: Socket) {
    this.#shared = shared;
    this.#socket = socket;
    this.#parser = new TcpStoreParser(shared.limits);
    this.#address = `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("drain", () => this.#resume());
    socket.on("error", () => this.close());
    socket.on("end", () => this.close());
    socket.on("close", () => this.close());
    this.#expect(shared.handshakeTimeout, "no VALIDATE came");
  }

  send(reply: Uint8Array): void {
    if (!this.#closed) this.#socket.write(reply);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#socket.destroy();
    this.#shared.state.leave(this);
    this.#shared.changed();
  }

  #expect(milliseconds: number, failure: string): void {
    this.#timer?.cancel();
    this.#timer = this.#shared.clock.timer(milliseconds, () => {
      this.#refuse(
        new GatewayError("deadline_exceeded", `TCPStore: ${failure} within ${milliseconds} ms.`, {
          phase: "rendezvous",
        }),
      );
    });
  }

  #refuse(error: GatewayError): void {
    if (this.#closed) return;
    this.close();
    this.#shared.onFault(error, this.#address);
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#parser.push(chunk);
    this.#work();
  }

  #resume(): void {
    if (this.#closed) return;
    this.#socket.resume();
    this.#work();
  }

  #work(): void {
    try {
      let handled = false;
      while (!this.#closed) {
        if (this.#socket.writableLength > UNREAD_REPLY_BYTES) {
          this.#socket.pause();
          break;
        }
        const request = this.#parser.next();
        if (request === undefined) break;
        this.#shared.state.handle(this, request);
        handled = true;
      }
      if (handled) this.#shared.changed();
      this.#watch(handled);
    } catch (error) {
      this.#refuse(toGatewayError(error));
    }
  }

  /** A request that began has its own deadline; between requests a validated client may be silent for hours. */
  #watch(handled: boolean): void {
    if (this.#closed || !this.#shared.state.isValidated(this)) return;
    if (this.#timer !== undefined && (handled || !this.#parser.partial)) {
      this.#timer.cancel();
      this.#timer = undefined;
    }
    if (this.#parser.partial && this.#timer === undefined) {
      this.#expect(this.#shared.requestTimeout, "a request was not complete");
    }
  }
}

/** Resolves when the server listens; a taken port is the caller's to change. */
function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const where = `${host}:${port}`;
      if (cause.code === "EADDRINUSE") {
        const mend = "Choose another port, or end the process that still holds it.";
        reject(new GatewayError("conflict", `TCPStore: ${where} is in use. ${mend}`, { phase: "rendezvous", cause }));
      } else {
        const details = { phase: "rendezvous", param: "host", cause };
        const reason = cause.code ?? cause.message;
        reject(new GatewayError("invalid_value", `TCPStore: cannot listen on ${where} (${reason}).`, details));
      }
    };
    server.once("error", fail);
    server.listen({ host, port }, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

/**
 * Starts a TCPStore server.
 *
 * @throws GatewayError `conflict` when the port is taken, `invalid_value` for an address that is not this machine's.
 */
export async function listenTcpStore(options: TcpStoreServerOptions): Promise<TcpStoreServer> {
  const { host, clock } = options;
  if (!Number.isInteger(options.port) || options.port < 0 || options.port > 65_535) {
    throw invalidValue("port", options.port, "an integer from 0 to 65535");
  }
  const limits = { ...DEFAULT_TCP_STORE_LIMITS, ...options.limits };
  const state = new TcpStoreState(limits);
  const watchers = new Set<() => void>();
  const open = new Set<Connection>();
  const maxConnections = options.maxConnections ?? 1024;
  const shared: Shared = {
    state,
    limits,
    clock,
    handshakeTimeout: options.handshakeTimeout ?? 10_000,
    requestTimeout: options.requestTimeout ?? 30_000,
    onFault: options.onFault ?? (() => {}),
    changed: () => {
      for (const watcher of watchers) watcher();
    },
  };
  const server = createServer((socket) => {
    if (open.size >= maxConnections) {
      socket.on("error", () => {});
      socket.destroy();
      const text = `TCPStore: more than ${maxConnections} connections.`;
      return shared.onFault(
        new GatewayError("limit_exceeded", text, { phase: "rendezvous" }),
        `${socket.remoteAddress}`,
      );
    }
    const connection = new Connection(shared, socket);
    open.add(connection);
    socket.once("close", () => open.delete(connection));
  });
  await listen(server, host, options.port);
  server.on("error", () => {});
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;
  let closing: Promise<void> | undefined;
  return {
    host,
    port,
    get connections() {
      return open.size;
    },
    get members() {
      return state.members;
    },
    get bytes() {
      return state.bytes;
    },
    get size() {
      return state.size;
    },
    waitForMembers(count, { timeout = MEMBERS_TIMEOUT, signal } = {}) {
      const missing = () => `TCPStore ${host}:${port}: ${state.members} of ${count} ranks joined`;
      return withDeadline(clock, { timeout, signal }, missing, (bounded) => {
        return new Promise<void>((resolve, reject) => {
          const leave = (): void => {
            watchers.delete(look);
            reject(bounded.reason);
          };
          const look = (): void => {
            if (state.members < count) return;
            watchers.delete(look);
            bounded.removeEventListener("abort", leave);
            resolve();
          };
          watchers.add(look);
          bounded.addEventListener("abort", leave, { once: true });
          look();
        });
      });
    },
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of open) connection.close();
      });
      return closing;
    },
  };
}
