/** The one shape that `bun.ts`, `deno.ts` and `node.ts` share. Types only; `run.ts` is the caller. */
import type { Ports } from "../ports.ts";

/** What is served: `createApp(gateway)` or any object with a fetch handler. */
export interface App {
  fetch(request: Request, env?: unknown): Response | Promise<Response>;
}

/** A bound socket. */
export interface Listener {
  /** `http://HOST:PORT` with the port that was really taken; IPv6 hosts in brackets. */
  readonly url: string;
  readonly port: number;
  /** Takes no new connection; resolves when the last running answer is out. */
  close(): Promise<void>;
  /** Cuts every connection. */
  closeNow(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

/** A runtime that can keep a server. */
export interface Platform {
  createPorts(): Ports;
  /** Rejects with an error whose `code` is "EADDRINUSE" when the port is taken. */
  listen(app: App, options: ListenOptions): Promise<Listener>;
}

/** IPv6 addresses need brackets in a URL. */
export const toUrl = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
