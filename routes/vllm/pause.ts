/** `POST /pause`, `POST /resume`, `GET /is_paused`, `POST /abort_requests`, over all replicas. */
import { createRoute } from "@hono/zod-openapi";
import {
  Aborted,
  AbortRequests,
  IsPaused,
  PauseQuery,
  StatusAnswer,
  toBoolean,
} from "../../src/contract/vllm/control.ts";
import { GatewayError } from "../../src/errors.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { openAiErrors } from "../../src/http/error-responses.ts";
import { allResults, toServerResults } from "../../src/http/fan-out.ts";
import { readBody } from "../../src/http/validation.ts";

const FAILED = ["replica_failed", "1 of 2 replicas did not pause: embedded-1: the worker is gone"] as const;
const NOBODY = ["conflict", "No replica could be asked to pause."] as const;
const OPEN = ["conflict", "/resume: a weight update is open (open). POST /finish_weight_update first."] as const;

export const pause = defineRoute({
  route: createRoute({
    method: "post",
    path: "/pause",
    operationId: "pause",
    tags: ["vLLM"],
    summary: "Stop generating on all replicas",
    description: "Idempotent. Requests that come meanwhile wait for `/resume`. A JSON body is ignored, as in vLLM.",
    request: { query: PauseQuery },
    responses: {
      200: {
        description: "All replicas paused.",
        content: {
          "application/json": { schema: StatusAnswer, example: { status: "paused", servers: [{ id: "vllm-0" }] } },
        },
      },
      ...openAiErrors(
        ["invalid_value", 'mode must be one of "abort", "wait", "keep", got "nap".', "mode"],
        FAILED,
        NOBODY,
      ),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const { mode, clear_cache } = c.req.valid("query");
    const { control } = c.var.gateway;
    const outcome = await control.pause(mode ?? "abort", toBoolean(clear_cache, true), c.var.signal);
    allResults(outcome, "pause");
    return c.json({ status: "paused", ...toServerResults(c.var.gateway, outcome) }, 200);
  },
});

export const resume = defineRoute({
  route: createRoute({
    method: "post",
    path: "/resume",
    operationId: "resume",
    tags: ["vLLM"],
    summary: "Go on generating on all replicas",
    responses: {
      200: {
        description: "All replicas run.",
        content: {
          "application/json": { schema: StatusAnswer, example: { status: "resumed", servers: [{ id: "vllm-0" }] } },
        },
      },
      ...openAiErrors(FAILED, NOBODY, OPEN),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const outcome = await c.var.gateway.control.resume(c.var.signal);
    allResults(outcome, "resume");
    return c.json({ status: "resumed", ...toServerResults(c.var.gateway, outcome) }, 200);
  },
});

export const isPaused = defineRoute({
  route: createRoute({
    method: "get",
    path: "/is_paused",
    operationId: "isPaused",
    tags: ["vLLM"],
    summary: "Is generation paused?",
    responses: { 200: { description: "Whether.", content: { "application/json": { schema: IsPaused } } } },
  }),
  scope: "weights",
  handler: async (c) => c.json({ is_paused: await c.var.gateway.control.isPaused(c.var.signal) }, 200),
});

export const abortRequests = defineRoute({
  route: createRoute({
    method: "post",
    path: "/abort_requests",
    operationId: "abortRequests",
    tags: ["vLLM"],
    summary: "End all running generations",
    description: "Callers get what there is, with `finish_reason: abort`. Single ids are not supported yet.",
    request: { body: { required: true, content: { "application/json": { schema: AbortRequests } } } },
    responses: {
      200: {
        description: "How many were running.",
        content: { "application/json": { schema: Aborted, example: { status: "aborted", aborted: 3 } } },
      },
      ...openAiErrors(["unsupported", "request_ids is not supported yet.", "request_ids"], FAILED, NOBODY),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const { request_ids } = await readBody(c, AbortRequests);
    if (request_ids !== undefined && request_ids !== null && request_ids.length > 0) {
      throw new GatewayError(
        "unsupported",
        "request_ids is not supported yet: send {} to end all running requests, or close the connection of the one that should end.",
        { param: "request_ids" },
      );
    }
    const { gateway, signal } = c.var;
    const aborted = gateway.fleet.snapshot().servers.reduce((total, server) => total + server.in_flight, 0);
    const wasPaused = await gateway.control.isPaused(signal);
    allResults(await gateway.control.pause("abort", false, signal), "abort its requests");
    if (!wasPaused) allResults(await gateway.control.resume(signal), "resume");
    return c.json({ status: "aborted", aborted }, 200);
  },
});
