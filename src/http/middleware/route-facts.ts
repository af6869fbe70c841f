/** What the middleware must know of a route before its handler runs: pattern, scope and exemptions. */
import type { Scope } from "../../contract/scopes.ts";
import type { AnyRoute } from "../define-route.ts";

export interface RouteFacts {
  /** In capitals; empty for what no route matched. */
  readonly method: string;
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
  method: "",
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

/** What the middleware is told about a route when the app registers it. */
export function toFacts({ route, scope }: AnyRoute): RouteFacts {
  return {
    method: route.method.toUpperCase(),
    pattern: route.path,
    scope,
    operational: OPERATIONAL.has(route.path),
    changesWeights: scope === "weights" && route.method !== "get",
    takesWeights: route.request?.body?.content[TAKES_WEIGHTS] !== undefined,
  };
}
