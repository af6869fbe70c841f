/** The smallest app that serves given routes over a gateway: context variables, raw bodies, errors. No middleware. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import type { Gateway } from "../../src/gateway-types.ts";
import type { AnyRoute } from "../../src/http/define-route.ts";
import type { AppEnv } from "../../src/http/env.ts";
import { renderProblem } from "../../src/http/problem.ts";
import { validationHook } from "../../src/http/validation.ts";

export interface RouteApp {
  request(path: string, init?: RequestInit): Promise<Response>;
  /** POSTs JSON; a string or bytes go as they are. */
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export function createRouteApp(routes: readonly AnyRoute[], gateway: Gateway): RouteApp {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });
  app.use("*", async (c, next) => {
    c.set("gateway", gateway);
    c.set("requestId", c.req.header("x-request-id") ?? "req-1");
    c.set("caller", { name: "anonymous", scopes: new Set() });
    c.set("signal", c.req.raw.signal);
    await next();
  });
  for (const { route, handler, rawBody } of routes) {
    const { body: _, ...withoutBody } = route.request ?? {};
    app.openapi(rawBody ? { ...route, request: withoutBody } : route, handler);
  }
  app.notFound((c) => renderProblem(c, new GatewayError("not_found", `No route ${c.req.path}.`)));
  app.onError((error, c) => renderProblem(c, toGatewayError(error)));
  const request = async (path: string, init?: RequestInit): Promise<Response> => app.request(path, init);
  return {
    request,
    post: (path, body, headers = {}) =>
      request(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body) }),
      } as RequestInit),
  };
}

/** The parsed data of every event of a stream; `[DONE]` stays text. */
export async function readEvents(response: Response): Promise<unknown[]> {
  const text = await response.text();
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      const data = event.replace(/^data: /, "");
      return data === "[DONE]" ? data : JSON.parse(data);
    });
}
