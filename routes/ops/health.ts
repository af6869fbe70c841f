/** `/livez`: the process answers. `/readyz`: some replica can serve, or why none can. */
import { createRoute } from "@hono/zod-openapi";
import { Liveness, Readiness } from "../../src/contract/control/ops.ts";
import { defineRoute } from "../../src/http/define-route.ts";

const tags = ["operations"];

export const livez = defineRoute({
  route: createRoute({
    method: "get",
    path: "/livez",
    operationId: "livez",
    tags,
    summary: "Is the process alive?",
    description: "200 as long as the event loop turns, whatever the replicas do. For restarts by an orchestrator.",
    responses: {
      200: {
        description: "Alive.",
        content: { "application/json": { schema: Liveness, example: { status: "alive" } } },
      },
    },
  }),
  scope: null,
  handler: (c) => c.json({ status: "alive" as const }, 200),
});

const READY_EXAMPLE = {
  ready: true,
  reason: null,
  servers: [{ id: "embedded-0", state: "ready", reason: null }],
};

const NOT_READY_EXAMPLE = {
  ready: false,
  reason: "No replica can serve.",
  servers: [{ id: "vllm-0", state: "unreachable", reason: "connect ECONNREFUSED 127.0.0.1:8001" }],
};

export const readyz = defineRoute({
  route: createRoute({
    method: "get",
    path: "/readyz",
    operationId: "readyz",
    tags,
    summary: "Can it serve?",
    description: "200 when at least one replica can serve, else 503 with the reason of each. For load balancers.",
    responses: {
      200: {
        description: "Ready.",
        content: { "application/json": { schema: Readiness, example: READY_EXAMPLE } },
      },
      503: {
        description: "Not ready; an answer of this shape, not a problem body.",
        content: { "application/json": { schema: Readiness, example: NOT_READY_EXAMPLE } },
      },
    },
  }),
  scope: null,
  handler: (c) => {
    const gateway = c.get("gateway");
    const { ready, reason, servers } = gateway.fleet.readiness();
    const serving = ready && !gateway.draining;
    const body = {
      ready: serving,
      reason: gateway.draining ? "The gateway is shutting down." : reason,
      servers: servers.map((server) => ({ ...server })),
    };
    return serving ? c.json(body, 200) : c.json(body, 503);
  },
});
