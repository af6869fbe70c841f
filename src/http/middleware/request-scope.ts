/**
 * The one middleware: everything that happens to every request, in order, as plain calls of small functions – id,
 * route, drain, deadline, key, body limit, then the handler, then id header, metrics, log and audit. One function
 * instead of ten nested ones, because each nested one costs a promise and a closure per request.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { OpenApiDocument } from "../../contract/openapi.ts";
import { GatewayError, toGatewayError } from "../../errors.ts";
import type { Gateway } from "../../gateway-types.ts";
import type { AnyRoute } from "../define-route.ts";
import type { AppEnv, Caller } from "../env.ts";
import { renderProblem } from "../problem.ts";
import { createAccessRecorder } from "./access.ts";
import { createAuthenticator } from "./auth.ts";
import { limitBody } from "./body-limit.ts";
import { CallDeadline, parseRequestTimeout } from "./deadline.ts";
import { chooseRequestId } from "./request-id.ts";
import { createRouteLookup, type RouteFacts } from "./route-facts.ts";

/** Seconds after which a client of a draining gateway may ask again: a restart takes about that long. */
const DRAIN_RETRY_SECONDS = 5;

const WEIGHTS_TYPE = /^application\/octet-stream\b/i;

const draining = (): GatewayError =>
  new GatewayError("draining", "This gateway is shutting down and takes no new requests.", {
    retryAfter: DRAIN_RETRY_SECONDS,
  });

export interface RequestScopeOptions {
  /** All routes of the app; gives patterns and scopes. */
  readonly routes: readonly AnyRoute[];
  /** The OpenAPI document, made at first use. Read by `GET /openapi.json` and `GET /docs`. */
  readonly document: () => OpenApiDocument;
}

/**
 * Creates the middleware. Register it once, first, on `*`; it must see every route.
 * Sets `gateway`, `requestId`, `signal` and `caller` in the context, and `document` for the operational routes.
 */
export function createRequestScope(gateway: Gateway, options: RequestScopeOptions): MiddlewareHandler<AppEnv> {
  const { clock, random } = gateway.ports;
  const { requestTimeout, maxBodyBytes, apiKey } = gateway.config;
  const lookUp = createRouteLookup(options.routes);
  const authenticator = createAuthenticator(apiKey, gateway.ports);
  const access = createAccessRecorder(gateway);
  const createId = (): string => random.uuid();

  /** Throws what refuses the request at once; a promise only where something had to be awaited. */
  const admit = (c: Context<AppEnv>, facts: RouteFacts): Promise<void> | undefined => {
    const { headers } = c.req.raw;
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

  const admitBody = (c: Context<AppEnv>, facts: RouteFacts): Promise<void> | undefined => {
    if (facts.takesWeights && WEIGHTS_TYPE.test(c.req.raw.headers.get("content-type") ?? "")) return undefined;
    return limitBody(c.req.raw, maxBodyBytes)?.then((request) => {
      c.req.raw = request;
    });
  };

  return (c, next) => {
    const { headers } = c.req.raw;
    const requestId = chooseRequestId(headers.get("x-request-id"), createId);
    const facts = lookUp(c);
    c.set("gateway", gateway);
    c.set("requestId", requestId);
    if (facts.operational) c.set("document", options.document);
    access.begin();
    let call: CallDeadline | undefined;

    const finish = (): void => {
      const { res } = c;
      if (gateway.draining) res.headers.set("connection", "close");
      res.headers.set("x-request-id", requestId);
      call?.settle(res.headers.get("content-type")?.startsWith("text/event-stream") === true);
      access.end(c, facts, call?.elapsed() ?? 0, call?.left ?? false);
    };
    const refuse = (thrown: unknown): void => {
      c.res = renderProblem(c, toGatewayError(thrown));
      finish();
    };

    let admitted: Promise<void> | undefined;
    try {
      if (gateway.draining && !facts.operational) throw draining();
      call = new CallDeadline(c.req.raw, parseRequestTimeout(headers.get("x-request-timeout"), requestTimeout), clock);
      c.set("signal", call.signal);
      admitted = admit(c, facts);
    } catch (error) {
      refuse(error);
      return Promise.resolve();
    }
    if (admitted === undefined) return next().then(finish, refuse);
    return admitted.then(() => next().then(finish, refuse), refuse);
  };
}
