/**
 * A route as a static value: its OpenAPI description, the scope a caller needs and its handler. Route files make these,
 * `routes/mod.ts` lists them, the app registers them. Nothing happens here.
 */
import type { RouteConfig, RouteHandler } from "@hono/zod-openapi";
import type { Scope } from "../contract/scopes.ts";
import type { AppEnv } from "./env.ts";

/** One method of one path. */
export interface DefinedRoute<R extends RouteConfig = RouteConfig> {
  readonly route: R;
  /** What a caller's key must allow; null = public. */
  readonly scope: Scope | null;
  readonly handler: RouteHandler<R, AppEnv>;
  /**
   * True: the app registers the route without validating its body (the handler reads the bytes itself), while the
   * OpenAPI document keeps the request schema. For bodies that are forwarded unparsed or streamed.
   */
  readonly rawBody: boolean;
}

/**
 * Any defined route, for lists. The handler's input type depends on its own route, so a list can only hold the
 * erased form; the app gives each handler back to the very route it came with.
 */
export interface AnyRoute {
  readonly route: RouteConfig;
  readonly scope: Scope | null;
  readonly handler: RouteHandler<RouteConfig, AppEnv>;
  readonly rawBody: boolean;
}

/**
 * Ties a handler to its route, checked against the route's request and response schemas.
 *
 * @example
 * ```ts
 * import { createRoute } from "@hono/zod-openapi";
 * import { defineRoute } from "./define-route.ts";
 * const ping = defineRoute({
 *   route: createRoute({ method: "get", path: "/ping", responses: { 200: { description: "Alive." } } }),
 *   scope: null,
 *   handler: (c) => c.body(null, 200),
 * });
 * if (ping.route.path !== "/ping" || ping.rawBody) throw new Error("route changed");
 * ```
 */
export function defineRoute<R extends RouteConfig>(options: {
  readonly route: R;
  readonly scope: Scope | null;
  readonly handler: RouteHandler<R, AppEnv>;
  readonly rawBody?: boolean;
}): AnyRoute {
  const defined: DefinedRoute<R> = {
    route: options.route,
    scope: options.scope,
    handler: options.handler,
    rawBody: options.rawBody ?? false,
  };
  // The one place where the handler's input type is forgotten; see AnyRoute.
  return defined as unknown as AnyRoute;
}

/**
 * Gives a ready Response back from a handler whose route describes typed JSON: for bodies that are forwarded, streamed
 * or already text, which the type checker cannot look into.
 */
export const asIs = (response: Response): never => response as never;
