/** `GET /metrics`: the Prometheus text exposition. */
import { createRoute, z } from "@hono/zod-openapi";
import { defineRoute } from "../../src/http/define-route.ts";

const EXAMPLE = `# HELP tidegate_http_requests_total Requests answered.
# TYPE tidegate_http_requests_total counter
tidegate_http_requests_total{route="/v1/chat/completions",method="POST",status="200"} 42
`;

export const getMetrics = defineRoute({
  route: createRoute({
    method: "get",
    path: "/metrics",
    operationId: "getMetrics",
    tags: ["operations"],
    summary: "Prometheus metrics",
    description: "Text exposition format 0.0.4.",
    responses: {
      200: { description: "Metrics.", content: { "text/plain": { schema: z.string(), example: EXAMPLE } } },
    },
  }),
  scope: "read",
  handler: (c) =>
    c.text(c.get("gateway").metrics.expose(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
});
