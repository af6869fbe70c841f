/** Raw sockets for tests of the rendezvous: a client that sends bytes as they are, and a server that plays a script. */
import { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout } from "node:timers";

/** How long a test waits for bytes that should come. */
const PATIENCE = 10_000;

/** A connection without any protocol. */
export interface RawSocket {
  send(bytes: Uint8Array): void;
  /** Exactly `count` bytes; rejects when the peer closes before. */
  receive(count: number): Promise<Uint8Array>;
  /** Resolves when the peer has closed. */
  readonly closed: Promise<void>;
  end(): void;
}

/** Wraps a socket; it never throws on its own. */
export function toRaw(socket: Socket): RawSocket {
  let arrived: Uint8Array = new Uint8Array(0);
  let over = false;
  let wake = (): void => {};
  socket.on("data", (chunk: Uint8Array) => {
    arrived = Buffer.concat([arrived, chunk]);
    wake();
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => {
    const done = (): void => {
      over = true;
      wake();
      resolve();
    };
    socket.once("close", done);
    socket.once("end", done);
  });
  return {
    send: (bytes) => void (socket.writable && socket.write(bytes)),
    closed,
    end: () => void socket.destroy(),
    async receive(count) {
      const timer = setTimeout(() => {
        over = true;
        wake();
      }, PATIENCE);
      try {
        while (arrived.length < count) {
          if (over) throw new Error(`the peer closed, or sent ${arrived.length} of ${count} bytes`);
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        clearTimeout(timer);
      }
      const taken = arrived.slice(0, count);
      arrived = arrived.slice(count);
      return taken;
    },
  };
}

/** Connects to a port of this machine. */
export function openRaw(port: number): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("error", reject);
    socket.once("connect", () => resolve(toRaw(socket)));
  });
}

/** Listens on a free port; `serve` gets each connection. */
export function serveRaw(
  serve: (socket: RawSocket) => Promise<void>,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    const raw = toRaw(socket);
    serve(raw).catch(() => raw.end());
  });
  return new Promise((resolve) => {
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const close = (): Promise<void> =>
        new Promise((done) => {
          server.close(() => done());
          for (const socket of open) socket.destroy();
        });
      resolve({ port, close });
    });
  });
}
