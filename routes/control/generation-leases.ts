/** `/api/generation-leases`: hold a model in memory for a generation, as TRL's `unwrap_model_for_generation` does. */
import { createRoute, z } from "@hono/zod-openapi";
import {
  CreateLease,
  GenerationLease,
  LeaseId,
  LeaseList,
  RenewLease,
} from "../../src/contract/control/generation-leases.ts";
import { PageQuery } from "../../src/contract/control/paging.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { toEventFeed } from "../../src/http/event-feed.ts";
import { type ProblemCase, problems } from "../../src/http/problem-responses.ts";
import { sseResponse } from "../../src/http/sse.ts";
import { readBody } from "../../src/http/validation.ts";
import { CREATE_LEASE_EXAMPLE, ENDED_LEASE_EXAMPLE, LEASE_EVENT_EXAMPLE, LEASE_EXAMPLE } from "./examples-offload.ts";
import { toPage } from "./page.ts";

const tags = ["weights"];
const params = z.object({ id: LeaseId });
const badId: ProblemCase = ["invalid_value", 'id must be in the format regex, got "7".', { param: "id" }];
const unknown: ProblemCase = [
  "not_found",
  "There is no generation lease gl_0. GET /api/generation-leases lists them.",
  { param: "id" },
];
const lease = { "application/json": { schema: GenerationLease, example: LEASE_EXAMPLE } };

export const createGenerationLease = defineRoute({
  route: createRoute({
    method: "post",
    path: "/api/generation-leases",
    operationId: "createGenerationLease",
    tags,
    summary: "Hold a model for generation",
    description:
      "Brings the offloaded groups of a model into memory on every replica that has it, and answers when they are there. They are given back when the lease is deleted, when `ttl_s` passes without a PATCH, when the worker dies, when a weight sync in mode `abort` takes them, and with `stream` when the connection ends; then bytes per tier are as before. Leases are counted: nested and concurrent ones share what is gathered. A weight sync in mode `wait` waits for the leases of its replicas, new ones wait for it, and nested ones (`parent`) do not.",
    request: {
      body: { content: { "application/json": { schema: CreateLease, example: CREATE_LEASE_EXAMPLE } } },
    },
    responses: {
      200: {
        description: "`stream`: the lease is held, and ends with this connection. Every change is an event.",
        content: {
          "text/event-stream": {
            schema: z.string().meta({ description: "Server-sent events whose `data` is `{type, lease}`." }),
            example: LEASE_EVENT_EXAMPLE,
          },
        },
      },
      201: {
        description: "The lease is held.",
        content: lease,
        headers: { Location: { schema: { type: "string" as const }, description: "Path of the lease." } },
      },
      ...problems(
        ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
        ["missing_field", "model is required here: one of tide-nano, llama.", { param: "model" }],
        ["invalid_value", "ttl_s must be at least 0.1, got 0.", { param: "ttl_s" }],
        ["unknown_field", "ttl is not a field of this request.", { param: "ttl" }],
        ["model_not_found", "The model llama is not served. Served: tide-nano.", { param: "model" }],
        [
          "conflict",
          "The model tide-nano is not loaded: embedded-0 is asleep (wake it with POST /wake_up).",
          { param: "model" },
        ],
        ["sync_in_progress", "A weight sync switches tide-nano; it did not end within 60 s (wait_s)."],
        [
          "insufficient_memory",
          "The groups of tide-nano do not fit into the memory of embedded-0: 1312256 bytes are missing.",
          { replica: "embedded-0", missing_bytes: 1312256 },
        ],
        ["replica_failed", "The worker went down while it gathered.", { replica: "embedded-0" }],
        ["too_many_requests", "10000 generation leases are held already."],
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const { leases, ports } = c.get("gateway");
    const request = await readBody(c, CreateLease, { emptyIsObject: true });
    const signal = c.get("signal");
    const held = await leases.create(request, { actor: c.get("caller").name }, signal);
    if (request.stream) {
      const feed = toEventFeed((own) => leases.follow(held.id, own), { signal, clock: ports.clock });
      return asIs(sseResponse(feed, new Headers()));
    }
    return c.json(held, 201, { location: `/api/generation-leases/${held.id}` });
  },
});

export const listGenerationLeases = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/generation-leases",
    operationId: "listGenerationLeases",
    tags,
    summary: "List generation leases",
    description: "Newest first, the ended ones among them.",
    request: { query: PageQuery },
    responses: {
      200: {
        description: "A page of leases.",
        content: {
          "application/json": {
            schema: LeaseList,
            example: { generation_leases: [LEASE_EXAMPLE, ENDED_LEASE_EXAMPLE] },
          },
        },
      },
      ...problems(["invalid_value", "limit must be at most 1000, got 5000.", { param: "limit" }]),
    },
  }),
  scope: "read",
  handler: (c) => c.json({ generation_leases: [...c.get("gateway").leases.list(toPage(c.req.valid("query")))] }, 200),
});

export const getGenerationLease = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/generation-leases/{id}",
    operationId: "getGenerationLease",
    tags,
    summary: "Look at a generation lease",
    request: { params },
    responses: { 200: { description: "The lease.", content: lease }, ...problems(badId, unknown) },
  }),
  scope: "read",
  handler: (c) => c.json(c.get("gateway").leases.get(c.req.valid("param").id), 200),
});

export const renewGenerationLease = defineRoute({
  route: createRoute({
    method: "patch",
    path: "/api/generation-leases/{id}",
    operationId: "renewGenerationLease",
    tags,
    summary: "Renew a generation lease",
    description: "It then ends `ttl_s` from now, unless it is renewed again.",
    request: {
      params,
      body: { required: true, content: { "application/json": { schema: RenewLease, example: { ttl_s: 60 } } } },
    },
    responses: {
      200: { description: "The lease.", content: lease },
      ...problems(
        badId,
        ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
        ["missing_field", "ttl_s is required: a number.", { param: "ttl_s" }],
        ["unknown_field", "ttl is not a field of this request.", { param: "ttl" }],
        unknown,
        ["conflict", "Lease gl_2b6c91 has ended: expired (not renewed for 60 s)."],
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const { ttl_s: ttl } = await readBody(c, RenewLease);
    return c.json(c.get("gateway").leases.renew(c.req.valid("param").id, ttl), 200);
  },
});

export const releaseGenerationLease = defineRoute({
  route: createRoute({
    method: "delete",
    path: "/api/generation-leases/{id}",
    operationId: "releaseGenerationLease",
    tags,
    summary: "Give a generation lease back",
    description: "Answers when bytes per tier are as before. One that has ended is answered as it ended.",
    request: { params },
    responses: {
      200: {
        description: "The lease, ended.",
        content: { "application/json": { schema: GenerationLease, example: ENDED_LEASE_EXAMPLE } },
      },
      ...problems(badId, unknown),
    },
  }),
  scope: "weights",
  handler: async (c) => c.json(await c.get("gateway").leases.release(c.req.valid("param").id, c.get("signal")), 200),
});
