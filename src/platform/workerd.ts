/**
 * workerd (edge): a data plane in front of upstreams. No files, no processes, and no timer outlives its request, so the
 * fleet is looked at again when the last look is older than the probe interval, instead of by probes in the background.
 */
import { type App, createApp } from "../app.ts";
import { type Config, parseConfig } from "../config.ts";
import { toGatewayError } from "../errors.ts";
import { createGateway } from "../gateway.ts";
import type { Ports } from "../ports.ts";
import { readEnvironment } from "./environment.ts";
import { identityUnlessAsked } from "./shared/encoding.ts";

/** At the edge a request must not wait long for an upstream that is away. */
const DEFAULTS = { upstreamWait: "5" };

const createPorts = (): Ports => ({
  runtime: "workerd",
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    timer(milliseconds, callback) {
      const timer = setTimeout(callback, Math.max(0, milliseconds));
      return { cancel: () => clearTimeout(timer) };
    },
  },
  random: { uuid: () => crypto.randomUUID(), float: () => Math.random() },
  fetch: (url, init) => fetch(url, { redirect: "manual", ...identityUnlessAsked(init) }),
  // biome-ignore lint/suspicious/noConsole: the console is the only log sink of this runtime.
  writeLine: (line) => console.log(line),
});

let config: Config | undefined;
let served: { readonly app: App; readonly until: number } | undefined;

/** A started app. Not shared while it starts: a request must not wait for the sockets of another. */
async function open(settings: Config): Promise<App> {
  const gateway = createGateway(settings, createPorts());
  const app = createApp(gateway);
  // Where no upstream answers, the routes say so themselves.
  await gateway.start(new AbortController().signal).catch(() => undefined);
  served = { app, until: Date.now() + settings.probeInterval * 1000 };
  return app;
}

async function handle(request: Request, env: Readonly<Record<string, unknown>>): Promise<Response> {
  try {
    config ??= parseConfig({ ...DEFAULTS, ...readEnvironment(env) });
    const app = served !== undefined && Date.now() < served.until ? served.app : await open(config);
    return await app.fetch(request, env);
  } catch (error) {
    const { code, message, type } = toGatewayError(error);
    return Response.json({ error: { message, type, param: null, code } }, { status: 500 });
  }
}

export default { fetch: handle };
