/** `POST /sleep`, `POST /wake_up`, `GET /is_sleeping`, over all replicas. */
import { createRoute } from "@hono/zod-openapi";
import { Awake, IsSleeping, Sleeping, SleepQuery, WakeUpQuery } from "../../src/contract/vllm/control.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { openAiErrors } from "../../src/http/error-responses.ts";
import { allResults, toServerResults } from "../../src/http/fan-out.ts";

const DEFAULT_LEVEL = 1;

const failed = (action: string) =>
  [
    ["replica_failed", `1 of 2 replicas did not ${action}: embedded-1: the worker is gone`],
    ["conflict", `No replica could be asked to ${action}.`],
  ] as const;

export const sleep = defineRoute({
  route: createRoute({
    method: "post",
    path: "/sleep",
    operationId: "sleep",
    tags: ["vLLM"],
    summary: "Stop generating and give memory back",
    request: { query: SleepQuery },
    responses: {
      200: {
        description: "All replicas sleep.",
        content: { "application/json": { schema: Sleeping, example: { status: "sleeping", level: 1 } } },
      },
      ...openAiErrors(["invalid_value", "level must be at most 2, got 9.", "level"], ...failed("sleep")),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const { level = DEFAULT_LEVEL, mode } = c.req.valid("query");
    const outcome = await c.var.gateway.control.sleep(level, c.var.signal, mode);
    allResults(outcome, "sleep");
    return c.json({ status: "sleeping", level, ...toServerResults(c.var.gateway, outcome) }, 200);
  },
});

export const wakeUp = defineRoute({
  route: createRoute({
    method: "post",
    path: "/wake_up",
    operationId: "wakeUp",
    tags: ["vLLM"],
    summary: "Wake up what sleeps",
    request: { query: WakeUpQuery },
    responses: {
      200: {
        description: "`sleeping` while some tag still sleeps.",
        content: { "application/json": { schema: Awake, example: { status: "awake", tags: null } } },
      },
      ...openAiErrors(...failed("wake up")),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const { tags } = c.req.valid("query");
    const named = tags === undefined ? null : typeof tags === "string" ? [tags] : tags;
    const { control } = c.var.gateway;
    const outcome = await control.wakeUp(named, c.var.signal);
    allResults(outcome, "wake up");
    const sleeping = await control.isSleeping(c.var.signal);
    return c.json(
      { status: sleeping ? "sleeping" : "awake", tags: named, ...toServerResults(c.var.gateway, outcome) },
      200,
    );
  },
});

export const isSleeping = defineRoute({
  route: createRoute({
    method: "get",
    path: "/is_sleeping",
    operationId: "isSleeping",
    tags: ["vLLM"],
    summary: "Does the fleet sleep?",
    responses: { 200: { description: "Whether.", content: { "application/json": { schema: IsSleeping } } } },
  }),
  scope: "weights",
  handler: async (c) => c.json({ is_sleeping: await c.var.gateway.control.isSleeping(c.var.signal) }, 200),
});
