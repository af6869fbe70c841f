/**
 * What the middleware must know of a route before its handler runs: pattern, scope and exemptions, found by one map
 * lookup per request. Built once from the list of routes.
 */
import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import type { Scope } from "../../contract/scopes.ts";
import type { AnyRoute } from "../define-route.ts";
import type { AppEnv } from "../env.ts";

export interface RouteFacts {
  /** The OpenAPI path (`/api/servers/{id}`): bounded, so fit for a metric label. */
  readonly pattern: string;
  readonly scope: Scope | null;
  /** Still answered while the gateway drains: the routes that watch it stop. */
  readonly operational: boolean;
  /** A change of weights: goes to the audit log. */
  readonly changesWeights: boolean;
  /** May carry a weight file, which no body limit applies to. */
  readonly takesWeights: boolean;
}

/** Everything that no route matched shares one set of facts; scanning strangers then makes one metric series. */
export const UNMATCHED: RouteFacts = {
  pattern: "unmatched",
  scope: null,
  operational: false,
  changesWeights: false,
  takesWeights: false,
};

/** Paths that probes and monitoring read, and must still read during a drain. */
const OPERATIONAL: ReadonlySet<string> = new Set([
  "/livez",
  "/readyz",
  "/metrics",
  "/version",
  "/openapi.json",
  "/docs",
  "/",
  "/health",
  "/ping",
  "/health/",
]);

const TAKES_WEIGHTS = "application/octet-stream";

/** Hono's spelling of an OpenAPI path: `/api/servers/{id}` → `/api/servers/:id`. */
const toHonoPath = (path: string): string => path.replaceAll(/\{([^}]+)\}/g, ":$1");

function toFacts({ route, scope }: AnyRoute): RouteFacts {
  return {
    pattern: route.path,
    scope,
    operational: OPERATIONAL.has(route.path),
    changesWeights: scope === "weights" && route.method !== "get",
    takesWeights: route.request?.body?.content[TAKES_WEIGHTS] !== undefined,
  };
}

/** Builds the lookup; the returned function answers UNMATCHED when no route takes this method and path. */
export function createRouteLookup(routes: readonly AnyRoute[]): (c: Context<AppEnv>) => RouteFacts {
  const table = new Map<string, RouteFacts>();
  for (const route of routes) {
    table.set(`${route.route.method.toUpperCase()} ${toHonoPath(route.route.path)}`, toFacts(route));
  }
  return (c) => {
    const method = c.req.method === "HEAD" ? "GET" : c.req.method;
    const matched = matchedRoutes(c);
    // The last match is the handler itself; middleware and validators come before it.
    const path = matched[matched.length - 1]?.path;
    return (path === undefined ? undefined : table.get(`${method} ${path}`)) ?? UNMATCHED;
  };
}
