/**
 * What is noted about every request when it ends: metrics for all, an audit entry for changes of weights, and a log
 * line. The line is at level debug for what went well and only read or generated (a line costs more than the whole
 * rest of the middleware), info for changes and refusals, warn for failures of ours.
 */
import type { Context } from "hono";
import type { SyncId } from "../../contract/ids.ts";
import type { Gateway } from "../../gateway-types.ts";
import type { AppEnv } from "../env.ts";
import type { RouteFacts } from "./route-facts.ts";

/** Seconds; from a health check to a long generation. */
const LATENCY_BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Methods that get their own label; others are "OTHER", for a client may send any word. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Bound series kept per route: every status there is, and no method that a client invents. */
const SERIES_LIMIT = 100;

const SYNC_LOCATION = /^\/api\/weight-syncs\/(ws_[A-Za-z0-9-]{1,64})$/;

export interface AccessRecorder {
  begin(): void;
  /** `seconds`: until the answer's head was ready; a streamed body goes on. */
  end(c: Context<AppEnv>, response: Response, facts: RouteFacts, seconds: number, left: boolean): void;
}

/** Registers the HTTP metrics and returns the recorder. */
export function createAccessRecorder(gateway: Gateway): AccessRecorder {
  const { metrics, log, audit, ports } = gateway;
  const requests = metrics.counter("tidegate_http_requests_total", "Requests answered.", ["route", "method", "status"]);
  const latency = metrics.histogram(
    "tidegate_http_request_duration_seconds",
    "Time until the head of the answer was ready.",
    LATENCY_BOUNDS,
    ["route", "method"],
  );
  const running = metrics.gauge("tidegate_http_requests_in_flight", "Requests whose answer has not begun.");
  const leavers = metrics.counter("tidegate_http_clients_left_total", "Clients that left before their answer.", [
    "route",
  ]);
  /** Bound counters per route, then per status (and method, where a pattern stands for many); as many as there are series. */
  const bound = new Map<RouteFacts, Map<number | string, { count: () => void; observe: (seconds: number) => void }>>();
  const seriesOf = (facts: RouteFacts, method: string, status: number) => {
    let byStatus = bound.get(facts);
    if (byStatus === undefined) {
      byStatus = new Map();
      bound.set(facts, byStatus);
    }
    const key = facts.method === method ? status : `${status} ${method}`;
    let series = byStatus.get(key);
    if (series === undefined) {
      const known = METHODS.has(method) ? method : "OTHER";
      const route = facts.pattern;
      series = {
        count: requests.bind({ route, method: known, status: String(status) }),
        observe: latency.bind({ route, method: known }),
      };
      if (byStatus.size < SERIES_LIMIT) byStatus.set(key, series);
    }
    return series;
  };
  const verbose = gateway.config.logLevel === "debug";
  let inFlight = 0;
  metrics.onCollect(() => running.set({}, inFlight));

  const writeLine = (c: Context<AppEnv>, facts: RouteFacts, status: number, seconds: number): void => {
    const changes = c.req.method !== "GET" && facts.scope !== "generate" && facts.scope !== "score";
    const level = status >= 500 ? "warn" : status >= 400 || changes ? "info" : "debug";
    if (level === "debug" && !verbose) return;
    log[level]("request", {
      request_id: c.get("requestId"),
      method: c.req.method,
      path: c.req.path,
      status,
      ms: Math.round(seconds * 1000),
      caller: c.get("caller")?.name,
      ...(c.error === undefined || status < 500 ? {} : { error: c.error }),
    });
  };

  return {
    begin() {
      inFlight += 1;
    },
    end(c, response, facts, seconds, left) {
      inFlight -= 1;
      const { method } = c.req;
      const { status, headers } = response;
      const series = seriesOf(facts, method, status);
      series.count();
      series.observe(seconds);
      if (left) leavers.add({ route: facts.pattern });
      writeLine(c, facts, status, seconds);
      if (!facts.changesWeights) return;
      const sync = SYNC_LOCATION.exec(headers.get("location") ?? "")?.[1];
      audit.append({
        at: new Date(ports.clock.now()).toISOString(),
        actor: c.get("caller")?.name ?? "unknown",
        action: `${method} ${c.req.path}`,
        request_id: c.get("requestId"),
        outcome: String(status),
        ...(sync === undefined ? {} : { sync: sync as SyncId }),
      });
    },
  };
}
