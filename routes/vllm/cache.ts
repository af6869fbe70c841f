/** `POST /reset_prefix_cache`, over all replicas. */
import { createRoute } from "@hono/zod-openapi";
import { ResetPrefixCache, ResetPrefixCacheQuery, toBoolean } from "../../src/contract/vllm/control.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { openAiErrors } from "../../src/http/error-responses.ts";
import { allResults, toServerResults } from "../../src/http/fan-out.ts";

export const resetPrefixCache = defineRoute({
  route: createRoute({
    method: "post",
    path: "/reset_prefix_cache",
    operationId: "resetPrefixCache",
    tags: ["vLLM"],
    summary: "Forget cached prefixes on all replicas",
    description: "A refused reset is a 200 with `success: false`, as in vLLM.",
    request: { query: ResetPrefixCacheQuery },
    responses: {
      200: {
        description: "Whether all replicas did it.",
        content: { "application/json": { schema: ResetPrefixCache, example: { success: true } } },
      },
      ...openAiErrors(
        [
          "invalid_value",
          'reset_running_requests must be one of "true", "false", got "perhaps".',
          "reset_running_requests",
        ],
        ["replica_failed", "1 of 2 replicas did not reset its prefix cache: embedded-1: the worker is gone"],
        ["conflict", "No replica could be asked to reset its prefix cache."],
      ),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const running = toBoolean(c.req.valid("query").reset_running_requests, false);
    const outcome = await c.var.gateway.control.resetPrefixCache(running, c.var.signal);
    const success = allResults(outcome, "reset its prefix cache").every((done) => done === true);
    return c.json({ success, ...toServerResults(c.var.gateway, outcome) }, 200);
  },
});
