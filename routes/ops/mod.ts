/** The operations routes, in document order. */
import type { AnyRoute } from "../../src/http/define-route.ts";
import { livez, readyz } from "./health.ts";
import { getMetrics } from "./metrics.ts";
import { getDashboard, getDocs, getOpenApi } from "./pages.ts";
import { getVersion } from "./version.ts";

export const opsRoutes: readonly AnyRoute[] = [
  livez,
  readyz,
  getMetrics,
  getVersion,
  getOpenApi,
  getDocs,
  getDashboard,
];
