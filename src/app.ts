/** The page to read first: one middleware, the table of routes, one place for errors. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { buildDocument } from "../openapi/document.ts";
import { routes } from "../routes/mod.ts";
import type { OpenApiDocument } from "./contract/openapi.ts";
import { GatewayError, toGatewayError } from "./errors.ts";
import type { Gateway } from "./gateway-types.ts";
import type { AnyRoute } from "./http/define-route.ts";
import type { AppEnv } from "./http/env.ts";
import { createRequestScope } from "./http/middleware/request-scope.ts";
import { toFacts, UNMATCHED } from "./http/middleware/route-facts.ts";
import { renderProblem } from "./http/problem.ts";
import { validationHook } from "./http/validation.ts";

/** What a platform serves. */
export interface App {
  fetch(request: Request, env?: unknown): Response | Promise<Response>;
  request(input: string | Request, init?: RequestInit): Response | Promise<Response>;
}

/** `/api/servers/{id}` → a pattern that matches one path segment per parameter. */
const toPattern = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll(/\{[^}]+\}/g, "[^/]+")}$`);

/** Hono's spelling of an OpenAPI path: `/api/servers/{id}` → `/api/servers/:id`. */
const toHonoPath = (path: string): string => path.replaceAll(/\{([^}]+)\}/g, ":$1");

/** True when something besides the body is validated. */
const isValidated = ({ request = {} }: AnyRoute["route"]): boolean =>
  request.params !== undefined ||
  request.query !== undefined ||
  request.headers !== undefined ||
  request.cookies !== undefined;

/** The methods that a path knows; empty when no route has it. */
function createMethodLookup(table: readonly AnyRoute[]): (path: string) => string[] {
  const patterns = table.map(({ route }) => ({ method: route.method.toUpperCase(), pattern: toPattern(route.path) }));
  return (path) => patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
}

/**
 * Builds the HTTP application over a gateway. No sockets, no start-up: `app.request("/livez")` works at once.
 *
 * @param gateway - A started or still starting gateway; its state decides what the routes answer.
 */
export function createApp(gateway: Gateway): App {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });
  let document: OpenApiDocument | undefined;
  const scope = createRequestScope(gateway, { document: () => (document ??= buildDocument(routes)) });

  for (const defined of routes) {
    const { route, handler, rawBody } = defined;
    const facts = toFacts(defined);
    if (rawBody && !isValidated(route)) {
      app.on(route.method.toUpperCase(), toHonoPath(route.path), scope.wrap(facts, handler));
      continue;
    }
    // A raw body is read by its handler alone; the document keeps the schema.
    const { request: { body, ...request } = {}, ...rest } = route;
    const validated = rawBody || body === undefined ? request : { ...request, body };
    app.openapi({ ...rest, request: validated, middleware: scope.middleware(facts) }, handler);
  }

  const methodsOf = createMethodLookup(routes);
  app.notFound(
    scope.wrap(UNMATCHED, (c) => {
      const methods = methodsOf(c.req.path);
      if (methods.length === 0) {
        return renderProblem(c, new GatewayError("not_found", `No route ${c.req.method} ${c.req.path}.`));
      }
      const accepted = methods.join(", ");
      const error = new GatewayError(
        "method_not_allowed",
        `${c.req.method} is not allowed on ${c.req.path}; accepted: ${accepted}.`,
      );
      const response = renderProblem(c, error);
      response.headers.set("allow", accepted);
      return response;
    }),
  );
  app.onError((error, c) => renderProblem(c, toGatewayError(error)));
  return app;
}
