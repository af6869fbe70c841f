/** `GET /health/`, `GET /get_world_size/`, `GET /get_tensor_parallel_size/`, `POST /reset_prefix_cache/`. */
import { createRoute } from "@hono/zod-openapi";
import { TensorParallelSize, TrlHealth, TrlMessage } from "../../src/contract/trl/communicator.ts";
import { NotReady, WorldSize } from "../../src/contract/vllm/control.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { trlErrors } from "../../src/http/error-responses.ts";
import { allResults } from "../../src/http/fan-out.ts";
import { toNotReady } from "../../src/http/readiness.ts";

/** TRL's client (0.18 and later) connects its rendezvous to the host that this header of the answer names. */
const RENDEZVOUS_DESCRIPTION =
  "Where the rendezvous of `/init_communicator/` is, when it is not where this gateway is.";

export const trlHealth = defineRoute({
  route: createRoute({
    method: "get",
    path: "/health/",
    operationId: "trlHealth",
    tags: ["TRL"],
    summary: "Can the fleet serve?",
    responses: {
      200: {
        description: "At least one replica serves.",
        headers: {
          "X-Forwarded-For": {
            description: RENDEZVOUS_DESCRIPTION,
            schema: { type: "string" as const, example: "10.0.0.8" },
          },
        },
        content: { "application/json": { schema: TrlHealth } },
      },
      503: {
        description: "`no_replica`: none serves; says why.",
        content: { "application/json": { schema: NotReady } },
      },
    },
  }),
  scope: null,
  handler: (c) => {
    const readiness = c.var.gateway.fleet.readiness();
    const host = c.var.gateway.legacy.rendezvousHost(new URL(c.req.url).hostname.replace(/^\[|\]$/g, ""));
    if (host !== null) c.header("X-Forwarded-For", host);
    return readiness.ready ? c.json({ status: "ok" as const }, 200) : c.json(toNotReady(readiness), 503);
  },
});

export const trlGetWorldSize = defineRoute({
  route: createRoute({
    method: "get",
    path: "/get_world_size/",
    operationId: "trlGetWorldSize",
    tags: ["TRL"],
    summary: "Ranks on this side of the trainer's NCCL group",
    description: "In front of native vLLM servers the gateway itself is the one rank; else the sum over all replicas.",
    responses: { 200: { description: "The sum.", content: { "application/json": { schema: WorldSize } } } },
  }),
  scope: "weights",
  handler: (c) => c.json({ world_size: c.var.gateway.legacy.worldSize() }, 200),
});

export const trlGetTensorParallelSize = defineRoute({
  route: createRoute({
    method: "get",
    path: "/get_tensor_parallel_size/",
    operationId: "trlGetTensorParallelSize",
    tags: ["TRL"],
    summary: "The same number under its TRL 0.16 name",
    responses: { 200: { description: "The sum.", content: { "application/json": { schema: TensorParallelSize } } } },
  }),
  scope: "weights",
  handler: (c) => c.json({ tensor_parallel_size: c.var.gateway.legacy.worldSize() }, 200),
});

export const trlResetPrefixCache = defineRoute({
  route: createRoute({
    method: "post",
    path: "/reset_prefix_cache/",
    operationId: "trlResetPrefixCache",
    tags: ["TRL"],
    summary: "Forget cached prefixes on all replicas",
    description:
      "A legacy trainer sends this after its last parameter: an update over NCCL ends here, with a new weight version once every server confirmed, or with what broke.",
    responses: {
      200: {
        description: "Whether all replicas did it is in the text.",
        content: {
          "application/json": {
            schema: TrlMessage,
            example: { message: "Request received, resetting prefix cache status: True" },
          },
        },
      },
      ...trlErrors(
        ["replica_failed", "1 of 2 replicas did not reset its prefix cache: embedded-1: the worker is gone"],
        ["conflict", "No replica could be asked to reset its prefix cache."],
        ["sync_failed", "The weight update through the bridge failed: 1 of 2 ranks left the group."],
      ),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const { legacy, control } = c.var.gateway;
    await legacy.finish({ actor: c.var.caller.name, requestId: c.var.requestId, signal: c.var.signal });
    const outcome = await control.resetPrefixCache(false, c.var.signal);
    const done = allResults(outcome, "reset its prefix cache").every((one) => one === true);
    legacy.finished();
    const word = done ? "True" : "False";
    return c.json({ message: `Request received, resetting prefix cache status: ${word}` }, 200);
  },
});
