/** Outgoing TCP and TLS connections on every runtime with `node:net` (Bun, Deno, Node). */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { OpenConnection } from "../../ports.ts";

/** A peer that vanished without a word is noticed by the system after this, and by our own deadlines before. */
const KEEP_ALIVE_MS = 5000;

/** See `OpenConnection`. Certificates are checked against the runtime's roots (`NODE_EXTRA_CA_CERTS` adds one's own). */
export const openConnection: OpenConnection = ({ host, port, tls }, events, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let over = false;
    let open = false;
    const socket: Socket = tls
      ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
      : connectTcp({ host, port });
    const finish = (error?: unknown): void => {
      if (over) return;
      over = true;
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      if (open) events.end(error);
      else reject(error ?? new Error("it closed the connection at once"));
    };
    const onAbort = (): void => finish(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", finish);
    socket.on("close", () => finish());
    socket.on("end", () => finish());
    socket.on("data", (bytes: Uint8Array) => {
      if (!over) events.data(bytes);
    });
    socket.once(tls ? "secureConnect" : "connect", () => {
      if (over) return;
      open = true;
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      resolve({
        write: (bytes) => void (over || socket.write(bytes)),
        close() {
          over = true;
          signal.removeEventListener("abort", onAbort);
          socket.destroy();
        },
      });
    });
  });
