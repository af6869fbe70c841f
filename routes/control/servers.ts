/** `/api/servers`: attach, inspect, drain and detach replicas at run time. */
import { createRoute, z } from "@hono/zod-openapi";
import { PageQuery } from "../../src/contract/control/paging.ts";
import { AttachServer, PatchServer, Server, ServerList } from "../../src/contract/control/servers.ts";
import { ReplicaId } from "../../src/contract/ids.ts";
import { GatewayError, invalidValue } from "../../src/errors.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { problems } from "../../src/http/problem-responses.ts";
import { readBody } from "../../src/http/validation.ts";
import { SERVER_EXAMPLE, UPSTREAM_EXAMPLE } from "./examples.ts";

const tags = ["control"];
const params = z.object({ id: ReplicaId });
const UNKNOWN_ID = "No server is called embedded-7. GET /api/servers lists them.";
const badId = ["invalid_value", 'id must be in the format regex, got "No!".', { param: "id" }] as const;

const unknownServer = (id: string): GatewayError =>
  new GatewayError("not_found", `No server is called ${id}. GET /api/servers lists them.`, { param: "id" });

export const listServers = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/servers",
    operationId: "listServers",
    tags,
    summary: "List replicas",
    description: "The newest replica first.",
    request: { query: PageQuery },
    responses: {
      200: {
        description: "Replicas.",
        content: { "application/json": { schema: ServerList, example: { servers: [SERVER_EXAMPLE] } } },
      },
      ...problems(["invalid_value", 'limit must be at most 1000, got "5000".', { param: "limit" }]),
    },
  }),
  scope: "read",
  handler: (c) => {
    const { limit, after } = c.req.valid("query");
    const newest = c.get("gateway").fleet.snapshot().servers.toReversed();
    const start = after === undefined ? 0 : newest.findIndex((server) => server.id === after) + 1;
    if (after !== undefined && start === 0) throw invalidValue("after", after, "the id of a server");
    return c.json({ servers: newest.slice(start, start + limit) }, 200);
  },
});

export const attachServer = defineRoute({
  route: createRoute({
    method: "post",
    path: "/api/servers",
    operationId: "attachServer",
    tags,
    summary: "Attach a replica",
    description:
      "Adds a running server to the fleet. It is asked what it is at once, and serves as soon as it is `ready` and holds the fleet's weights.",
    request: {
      body: {
        required: true,
        content: { "application/json": { schema: AttachServer, example: { url: "http://127.0.0.1:8001" } } },
      },
    },
    responses: {
      201: {
        description: "Attached.",
        headers: { Location: { schema: { type: "string" }, description: "Path of the new server." } },
        content: { "application/json": { schema: Server, example: UPSTREAM_EXAMPLE } },
      },
      ...problems(
        ["missing_field", "url is required: a string.", { param: "url" }],
        ["invalid_value", 'url must be in the format url, got "here".', { param: "url" }],
        ["unknown_field", "adress is not a field of this request.", { param: "adress" }],
        ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
        ["conflict", "A server is called vllm-0 already.", { param: "id" }],
        ["replica_failed", "http://127.0.0.1:8001 does not answer: connection refused.", { replica: "vllm-0" }],
      ),
    },
  }),
  scope: "admin",
  rawBody: true,
  handler: async (c) => {
    const server = await c.get("gateway").fleet.attach(await readBody(c, AttachServer), c.get("signal"));
    return c.json(server, 201, { location: `/api/servers/${server.id}` });
  },
});

export const getServer = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/servers/{id}",
    operationId: "getServer",
    tags,
    summary: "Inspect a replica",
    request: { params },
    responses: {
      200: {
        description: "The replica.",
        content: { "application/json": { schema: Server, example: SERVER_EXAMPLE } },
      },
      ...problems(badId, ["not_found", UNKNOWN_ID, { param: "id" }]),
    },
  }),
  scope: "read",
  handler: (c) => {
    const { id } = c.req.valid("param");
    const server = c.get("gateway").fleet.server(id);
    if (server === undefined) throw unknownServer(id);
    return c.json(server, 200);
  },
});

export const patchServer = defineRoute({
  route: createRoute({
    method: "patch",
    path: "/api/servers/{id}",
    operationId: "patchServer",
    tags,
    summary: "Drain a replica, put it back, or weigh it",
    description:
      "`draining` gives it no new requests; those that run may end. `ready` puts it back into rotation. `weight` is its share under `--policy weighted`.",
    request: {
      params,
      body: {
        required: true,
        content: { "application/json": { schema: PatchServer, example: { state: "draining" } } },
      },
    },
    responses: {
      200: {
        description: "The replica as it now is.",
        content: { "application/json": { schema: Server, example: { ...SERVER_EXAMPLE, state: "draining" } } },
      },
      ...problems(
        badId,
        ["missing_field", 'state is required: one of "draining", "ready".', { param: "state" }],
        ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
        ["unknown_field", "wait is not a field of this request.", { param: "wait" }],
        ["not_found", UNKNOWN_ID, { param: "id" }],
        ["conflict", "embedded-0 is quarantined: it has to take a weight sync first.", { replica: "embedded-0" }],
      ),
    },
  }),
  scope: "admin",
  rawBody: true,
  handler: async (c) => {
    const { id } = c.req.valid("param");
    const { fleet } = c.get("gateway");
    if (fleet.server(id) === undefined) throw unknownServer(id);
    return c.json(await fleet.patch(id, await readBody(c, PatchServer), c.get("signal")), 200);
  },
});

export const detachServer = defineRoute({
  route: createRoute({
    method: "delete",
    path: "/api/servers/{id}",
    operationId: "detachServer",
    tags,
    summary: "Detach a replica",
    description: "Takes it out of rotation, lets its requests end, and forgets it. A worker process is stopped.",
    request: { params },
    responses: {
      204: { description: "Detached." },
      ...problems(
        badId,
        ["not_found", UNKNOWN_ID, { param: "id" }],
        ["conflict", "Sync ws_7d1f2c is running on embedded-0. Wait for it or DELETE it.", { replica: "embedded-0" }],
      ),
    },
  }),
  scope: "admin",
  handler: async (c) => {
    const { id } = c.req.valid("param");
    const { fleet } = c.get("gateway");
    if (fleet.server(id) === undefined) throw unknownServer(id);
    await fleet.detach(id, c.get("signal"));
    return c.body(null, 204);
  },
});
