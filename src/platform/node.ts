/** Node (≥ 22.18, the first that runs TypeScript by itself): ports and a server. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createAdaptorServer } from "@hono/node-server";
import type { Ports } from "../ports.ts";
import { createProcessPorts } from "./shared/process-ports.ts";
import { createUndiciFetch } from "./shared/undici-fetch.ts";
import type { App, Listener, ListenOptions, Platform } from "./types.ts";
import { toUrl } from "./types.ts";

/** Longer than a client's pause between two requests, so that a kept connection is rarely closed under one. */
const KEEP_ALIVE_MILLISECONDS = 75_000;

/** While closing: how often connections that went idle are let go. */
const SWEEP_MILLISECONDS = 50;

const createPorts = (): Ports =>
  createProcessPorts({
    runtime: `node ${process.versions.node}`,
    fetch: createUndiciFetch(),
    toArguments: (file) => [file],
  });

async function listen(app: App, { host, port }: ListenOptions): Promise<Listener> {
  const server = createAdaptorServer({ fetch: (request, env) => app.fetch(request, env) }) as Server;
  // Node ends a request after 300 s by default; how long one may take is the app's decision. Slow headers still end at 60 s.
  server.requestTimeout = 0;
  server.timeout = 0;
  server.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS;
  server.listen(port, host);
  await once(server, "listening");
  const taken = (server.address() as AddressInfo).port;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      // A connection that becomes idle after `close` would be kept for its keep-alive time.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MILLISECONDS);
      server.close(() => {
        clearInterval(sweep);
        resolve();
      });
    });
  return {
    url: toUrl(host, taken),
    port: taken,
    close,
    closeNow() {
      const closed = close();
      server.closeAllConnections();
      return closed;
    },
  };
}

/** The Node platform. */
export const platform: Platform = { createPorts, listen };
