/** `GET /health`, `GET /ping`, `GET /load`: 200 means that at least one replica can serve. */
import { createRoute } from "@hono/zod-openapi";
import { NotReady, ServerLoad } from "../../src/contract/vllm/control.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { toNotReady } from "../../src/http/readiness.ts";

const probe = (path: "/health" | "/ping", operationId: string, summary: string, method: "get" | "post" = "get") =>
  defineRoute({
    route: createRoute({
      method,
      path,
      operationId,
      tags: ["vLLM"],
      summary,
      responses: {
        200: { description: "Empty: at least one replica serves." },
        503: {
          description: "`no_replica`: none serves; says why.",
          content: { "application/json": { schema: NotReady } },
        },
      },
    }),
    scope: null,
    handler: (c) => {
      const readiness = c.var.gateway.fleet.readiness();
      return readiness.ready ? c.body(null, 200) : c.json(toNotReady(readiness), 503);
    },
  });

export const health = probe("/health", "health", "Can the fleet serve?");
export const ping = probe("/ping", "ping", "The same under SageMaker's name");

export const pingPost = probe("/ping", "pingPost", "The same, as SageMaker may send it", "post");

export const load = defineRoute({
  route: createRoute({
    method: "get",
    path: "/load",
    operationId: "serverLoad",
    tags: ["vLLM"],
    summary: "Requests in flight over all replicas",
    responses: { 200: { description: "The load.", content: { "application/json": { schema: ServerLoad } } } },
  }),
  scope: "read",
  handler: (c) => {
    const { servers } = c.var.gateway.fleet.snapshot();
    return c.json({ server_load: servers.reduce((total, server) => total + server.in_flight, 0) }, 200);
  },
});
