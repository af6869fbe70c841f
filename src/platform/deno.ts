/** Deno (≥ 2.9): ports and a server. */
import type { Ports } from "../ports.ts";
import { identityUnlessAsked } from "./shared/encoding.ts";
import { createProcessPorts } from "./shared/process-ports.ts";
import type { App, Listener, ListenOptions, Platform } from "./types.ts";
import { toUrl } from "./types.ts";

/** The few names of Deno's own that are used here (its whole type library clashes with Bun's). */
declare const Deno: {
  readonly version: { readonly deno: string };
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen: () => void },
    handler: (request: Request, info: unknown) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; readonly finished: Promise<void>; shutdown(): Promise<void> };
  createHttpClient(options: { poolIdleTimeout: number; http2: boolean }): object;
};

/** What the worker's FFI, model files and system facts need; `docs/runtimes.md` has the reason of each. */
export const WORKER_PERMISSIONS = [
  "--no-prompt",
  "--allow-read",
  "--allow-sys=systemMemoryInfo,cpus",
  "--allow-env=TIDEGATE_ONNXRUNTIME_DIR,TMPDIR,TMP,TEMP",
  "--allow-ffi",
] as const;

/** What a trainer's communicator needs instead: NCCL's library, and sockets of the rendezvous. */
export const COMMUNICATOR_PERMISSIONS = [
  "--no-prompt",
  "--allow-read",
  "--allow-net",
  "--allow-env=TIDEGATE_NCCL_LIBRARY,TIDEGATE_CUDART_LIBRARY",
  "--allow-ffi",
] as const;

const toPermissions = (file: string): readonly string[] =>
  file.endsWith("/communicator-main.ts") ? COMMUNICATOR_PERMISSIONS : WORKER_PERMISSIONS;

function createPorts(): Ports {
  // uvicorn closes idle sockets after 5 s; ours must go first, or a request meets a socket that is just being closed.
  const client = Deno.createHttpClient({ poolIdleTimeout: 4000, http2: false });
  return createProcessPorts({
    runtime: `deno ${Deno.version.deno}`,
    // Deno cannot be told not to decompress; it does so only where the caller asked for compression.
    fetch: (url, init) => fetch(url, { redirect: "manual", ...identityUnlessAsked(init), client } as RequestInit),
    toArguments: (file) => ["run", ...toPermissions(file), file],
  });
}

async function listen(app: App, { host, port }: ListenOptions): Promise<Listener> {
  const cut = new AbortController();
  const server = Deno.serve({ hostname: host, port, signal: cut.signal, onListen: () => {} }, (request, info) =>
    app.fetch(request, info),
  );
  let closed = false;
  void server.finished.finally(() => {
    closed = true;
  });
  return {
    url: toUrl(host, server.addr.port),
    port: server.addr.port,
    close: () => server.shutdown(),
    async closeNow() {
      // Once `shutdown` is through the resource is gone, and aborting it throws.
      if (!closed) cut.abort();
      await server.finished;
    },
  };
}

/** The Deno platform. */
export const platform: Platform = { createPorts, listen };
