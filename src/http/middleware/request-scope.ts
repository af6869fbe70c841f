/**
 * The one middleware: everything that happens to every request, in order, as plain calls of small functions – id,
 * drain, deadline, key, body limit, then the handler, then id header, metrics, log and audit. One function instead of
 * ten nested ones, because each nested one costs a promise and a closure per request.
 */
import type { Context, Handler, MiddlewareHandler } from "hono";
import type { OpenApiDocument } from "../../contract/openapi.ts";
import { GatewayError, toGatewayError } from "../../errors.ts";
import type { Gateway } from "../../gateway-types.ts";
import type { AppEnv, Caller } from "../env.ts";
import { renderProblem } from "../problem.ts";
import { createAccessRecorder } from "./access.ts";
import { createAuthenticator } from "./auth.ts";
import { limitBody } from "./body-limit.ts";
import { type CallDeadline, CallWatch, parseRequestTimeout } from "./deadline.ts";
import { chooseRequestId } from "./request-id.ts";
import type { RouteFacts } from "./route-facts.ts";

/** Seconds after which a client of a draining gateway may ask again: a restart takes about that long. */
const DRAIN_RETRY_SECONDS = 5;

const WEIGHTS_TYPE = /^application\/octet-stream\b/i;

const draining = (): GatewayError =>
  new GatewayError("draining", "This gateway is shutting down and takes no new requests.", {
    retryAfter: DRAIN_RETRY_SECONDS,
  });

export interface RequestScopeOptions {
  /** The OpenAPI document, made at first use. Read by `GET /openapi.json` and `GET /docs`. */
  readonly document: () => OpenApiDocument;
}

/** The request scope in Hono's two forms. Both set `gateway`, `requestId`, `signal` and `caller`, and `document` for operational routes. */
export interface RequestScope {
  /** Goes before the validators of a route. */
  middleware(facts: RouteFacts): MiddlewareHandler<AppEnv>;
  /** Scope and handler as one: for routes without validators, which Hono then calls without composing anything. */
  wrap(facts: RouteFacts, handler: Handler<AppEnv>): (c: Context<AppEnv>) => Promise<Response>;
}

/** One request on its way: what `finish` needs of `begin`. */
interface Begun {
  readonly requestId: string;
  call: CallDeadline | undefined;
}

const isEventStream = (headers: Headers): boolean =>
  headers.get("content-type")?.startsWith("text/event-stream") === true;

/** Creates the scope for all routes of a gateway. */
export function createRequestScope(gateway: Gateway, options: RequestScopeOptions): RequestScope {
  const { clock, random, runtime } = gateway.ports;
  const { requestTimeout, maxBodyBytes, apiKey } = gateway.config;
  const authenticator = createAuthenticator(apiKey, gateway.ports);
  const access = createAccessRecorder(gateway);
  const createId = (): string => random.uuid();
  // Measured on Bun 1.4.5: a signal first asked for after the client left is aborted. Node's adapter and Deno differ.
  const watch = new CallWatch(clock, runtime.startsWith("bun"));

  const admitBody = (c: Context<AppEnv>, facts: RouteFacts): Promise<void> | undefined => {
    if (facts.takesWeights && WEIGHTS_TYPE.test(c.req.raw.headers.get("content-type") ?? "")) return undefined;
    return limitBody(c.req.raw, maxBodyBytes)?.then((request) => {
      c.req.raw = request;
    });
  };

  const begin = (c: Context<AppEnv>, facts: RouteFacts): Begun => {
    const requestId = chooseRequestId(c.req.raw.headers.get("x-request-id"), createId);
    c.set("gateway", gateway);
    c.set("requestId", requestId);
    if (facts.operational) c.set("document", options.document);
    access.begin();
    return { requestId, call: undefined };
  };

  /** Throws what refuses the request at once; a promise only where something has to be awaited. */
  const admit = (c: Context<AppEnv>, facts: RouteFacts, begun: Begun): Promise<void> | undefined => {
    if (gateway.draining && !facts.operational) throw draining();
    const { headers } = c.req.raw;
    begun.call = watch.begin(c.req.raw, parseRequestTimeout(headers.get("x-request-timeout"), requestTimeout));
    c.set("signal", begun.call.signal);
    const found = authenticator.check(headers.get("authorization"), facts.scope);
    if (found instanceof Promise) {
      return found.then((caller) => {
        c.set("caller", caller);
        return admitBody(c, facts);
      });
    }
    c.set("caller", found satisfies Caller);
    return admitBody(c, facts);
  };

  const finish = (c: Context<AppEnv>, facts: RouteFacts, { requestId, call }: Begun, response: Response): Response => {
    const { headers } = response;
    if (gateway.draining) headers.set("connection", "close");
    headers.set("x-request-id", requestId);
    call?.settle(isEventStream(headers));
    access.end(c, response, facts, call?.elapsed() ?? 0, call?.left ?? false);
    return response;
  };

  return {
    middleware: (facts) => async (c, next) => {
      const begun = begin(c, facts);
      try {
        await admit(c, facts, begun);
        await next();
      } catch (error) {
        c.res = renderProblem(c, toGatewayError(error));
      }
      finish(c, facts, begun, c.res);
    },
    wrap: (facts, handler) => async (c) => {
      const begun = begin(c, facts);
      let response: Response;
      try {
        const admitted = admit(c, facts, begun);
        if (admitted !== undefined) await admitted;
        response = (await handler(c, nothingBehind)) as Response;
      } catch (error) {
        response = renderProblem(c, toGatewayError(error));
      }
      return finish(c, facts, begun, response);
    },
  };
}

/** The `next` of a handler that is the last one. */
const nothingBehind = (): Promise<void> => Promise.resolve();
