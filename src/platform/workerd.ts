/**
 * workerd (edge): a data plane in front of upstreams, without files and processes. The gateway lives in a Durable
 * Object, since elsewhere no timer outlives its request and no two requests may share a socket.
 */
import { type App, createApp } from "../app.ts";
import { parseConfig } from "../config.ts";
import { toGatewayError } from "../errors.ts";
import { createGateway } from "../gateway.ts";
import { readEnvironment } from "./environment.ts";
import { createEdgePorts } from "./shared/edge-ports.ts";

/** At the edge a request must not wait long for an upstream that is away. */
const DEFAULTS = { upstreamWait: "5" };

/** What this file uses of a Durable Object namespace. */
interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}

type Bindings = Readonly<Record<string, unknown>> & { readonly TIDEGATE?: Namespace };

/** The one gateway. Lives as long as requests or probes keep coming; a new one starts with the next request. */
export class GatewayObject {
  readonly #env: Bindings;
  #app: Promise<App> | undefined;

  constructor(_state: unknown, env: Bindings) {
    this.#env = env;
  }

  /** Serves a request; the first one starts the gateway. */
  async fetch(request: Request): Promise<Response> {
    try {
      this.#app ??= this.#open();
      return await (await this.#app).fetch(request, this.#env);
    } catch (error) {
      this.#app = undefined;
      const { code, message, type } = toGatewayError(error);
      return Response.json({ error: { message, type, param: null, code } }, { status: 500 });
    }
  }

  async #open(): Promise<App> {
    const gateway = createGateway(parseConfig({ ...DEFAULTS, ...readEnvironment(this.#env) }), createEdgePorts());
    // An upstream that is away is tried again by the probes; the routes say so meanwhile.
    await gateway.start(new AbortController().signal).catch(() => undefined);
    return createApp(gateway);
  }
}

export default {
  fetch(request: Request, { TIDEGATE }: Bindings): Response | Promise<Response> {
    if (TIDEGATE !== undefined) return TIDEGATE.get(TIDEGATE.idFromName("gateway")).fetch(request);
    return new Response("bind the Durable Object class GatewayObject under the name TIDEGATE\n", { status: 500 });
  },
};
