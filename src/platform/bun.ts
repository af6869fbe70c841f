/** Bun (≥ 1.4): ports and a server. */
import { fullGC } from "bun:jsc";
import type { Ports } from "../ports.ts";
import { createBunExchange } from "./shared/bun-exchange.ts";
import { identityUnlessAsked } from "./shared/encoding.ts";
import { createProcessPorts } from "./shared/process-ports.ts";
import type { App, Listener, ListenOptions, Platform } from "./types.ts";
import { toUrl } from "./types.ts";

const createPorts = (): Ports => ({
  ...createProcessPorts({
    runtime: `bun ${Bun.version}`,
    // `timeout: false`: Bun ends a fetch after 5 idle minutes; `decompress: false`: bytes go on as they came.
    fetch: (url, init) =>
      fetch(url, {
        redirect: "manual",
        ...identityUnlessAsked(init),
        timeout: false,
        decompress: false,
      } as RequestInit),
    toArguments: (file) => ["run", file],
  }),
  exchange: createBunExchange(),
  collect: () => void fullGC(),
});

async function listen(app: App, { host, port }: ListenOptions): Promise<Listener> {
  const server = Bun.serve({
    hostname: host,
    port,
    // The default of 10 s cuts a long generation; how long a request may take is the app's decision.
    idleTimeout: 0,
    // The default of 128 MiB refuses a weight upload before the app sees it; the app has its own limits per route.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    // Said outright: otherwise a second server of this process would share the port without a word.
    reusePort: false,
    fetch: (request, server) => app.fetch(request, server),
  });
  const taken = server.port ?? port;
  return {
    url: toUrl(host, taken),
    port: taken,
    close: () => server.stop(false),
    closeNow: () => server.stop(true),
  };
}

/** The Bun platform. */
export const platform: Platform = { createPorts, listen };
