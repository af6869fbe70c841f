/** `/api/weight-syncs`: start, inspect, abort, and ask beforehand whether it could work. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { PageQuery } from "../../src/contract/control/paging.ts";
import { DryRunResult, StartSync, WeightSync, WeightSyncList } from "../../src/contract/control/weight-syncs.ts";
import { SyncId } from "../../src/contract/ids.ts";
import { GatewayError } from "../../src/errors.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import type { AppEnv } from "../../src/http/env.ts";
import { type ProblemCase, problems } from "../../src/http/problem-responses.ts";
import { readBody } from "../../src/http/validation.ts";
import { DRY_RUN_EXAMPLE, RUNNING_SYNC_EXAMPLE, SYNC_EXAMPLE, SYNC_REQUEST_EXAMPLE } from "./examples.ts";
import { toPage } from "./page.ts";
import {
  parseIdempotencyKey,
  parseWait,
  refuseQuery,
  requireSource,
  toSyncFailure,
  toUploadRequest,
  UploadQuery,
} from "./start-sync.ts";

const tags = ["weights"];
const params = z.object({ id: SyncId });
const badId: ProblemCase = ["invalid_value", 'id must be in the format regex, got "7".', { param: "id" }];
const unknownId: ProblemCase = [
  "not_found",
  "No weight sync is called ws_0. GET /api/weight-syncs lists them.",
  { param: "id" },
];

/** What is wrong with a request or a weight file, seen before anything is switched. */
const REQUEST_PROBLEMS: readonly ProblemCase[] = [
  ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
  ["missing_field", "source is required: an object.", { param: "source" }],
  ["invalid_value", "version must be at least 4 (weights 3 are served), got 2.", { param: "version" }],
  ["unknown_field", "sources is not a field of this request.", { param: "sources" }],
  ["unsupported", "No replica of this fleet can receive weights over NCCL.", { param: "source.kind" }],
];

const WEIGHT_PROBLEMS: readonly ProblemCase[] = [
  ["source_unreadable", "models/nowhere is not a directory and not a file.", { param: "source.path" }],
  ["weights_malformed", "The header is not JSON: Expected a value at character 0.", { phase: "receive" }],
  ["weights_truncated", "The file ends 128 bytes before its last tensor does.", { phase: "receive" }],
  [
    "weights_missing_tensor",
    "Tensor lm_head.weight is missing; send partial if the others may stay.",
    { tensor: "lm_head.weight" },
  ],
  ["weights_unexpected_tensor", "The served model has no tensor head.weight.", { tensor: "head.weight" }],
  ["weights_duplicate_tensor", "Tensor lm_head.weight comes twice.", { tensor: "lm_head.weight" }],
  ["weights_dtype_mismatch", "Tensor lm_head.weight is I32; accepted: BF16, F16, F32.", { tensor: "lm_head.weight" }],
  [
    "weights_shape_mismatch",
    "Tensor lm_head.weight is [2, 2]; the model has [1024, 192].",
    { tensor: "lm_head.weight" },
  ],
  ["weights_non_finite", "Tensor lm_head.weight holds NaN at element 17.", { tensor: "lm_head.weight" }],
  [
    "weights_digest_mismatch",
    "embedded-1 holds other bytes than embedded-0 after loading.",
    { phase: "verify", replica: "embedded-1" },
  ],
];

const unknownSync = (id: string): GatewayError =>
  new GatewayError("not_found", `No weight sync is called ${id}. GET /api/weight-syncs lists them.`, { param: "id" });

const running = { schema: WeightSync, example: RUNNING_SYNC_EXAMPLE };
const ended = { schema: WeightSync, example: SYNC_EXAMPLE };
const location = { Location: { schema: { type: "string" as const }, description: "Path of the weight sync." } };

type Started = { readonly sync: WeightSync; readonly uploaded: boolean };

/** Reads the request in either form and hands it to the gateway. */
async function start(c: Context<AppEnv>): Promise<Started> {
  const gateway = c.get("gateway");
  const idempotencyKey = parseIdempotencyKey(c.req.header("idempotency-key"));
  const by = {
    actor: c.get("caller").name,
    requestId: c.get("requestId"),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
  const type = (c.req.header("content-type") ?? "application/json").split(";", 1)[0]?.trim().toLowerCase();
  if (type === "application/octet-stream") {
    const request = toUploadRequest(c.req.query());
    const body = c.req.raw.body as ReadableStream<Uint8Array> | null;
    if (body === null) throw new GatewayError("missing_field", "body is required: the bytes of a .safetensors file.");
    return { sync: await gateway.syncs.start(request, by, body), uploaded: true };
  }
  if (type !== "application/json") {
    throw new GatewayError(
      "unsupported_media_type",
      `Content-Type must be application/json or application/octet-stream, got ${type}.`,
      { param: "Content-Type" },
    );
  }
  refuseQuery(c.req.query());
  const request = requireSource(await readBody(c, StartSync));
  return { sync: await gateway.syncs.start(request, by), uploaded: false };
}

/** An upload cannot be answered before its body was read; by then it is known whether the file is good. */
async function received(c: Context<AppEnv>, sync: WeightSync): Promise<WeightSync> {
  const { syncs } = c.get("gateway");
  let latest = sync;
  if (latest.state !== "running" || latest.phase !== "receive") return latest;
  for await (const event of syncs.events(sync.id, c.get("signal"))) {
    if (event.type !== "sync") continue;
    latest = event.sync;
    if (latest.state !== "running" || latest.phase !== "receive") return latest;
  }
  // The feed also ends with the call itself; then there is a reason to tell instead.
  c.get("signal").throwIfAborted();
  return latest;
}

export const startWeightSync = defineRoute({
  route: createRoute({
    method: "post",
    path: "/api/weight-syncs",
    operationId: "startWeightSync",
    tags,
    summary: "Start a weight sync",
    description:
      "Brings new weights onto every replica as one transaction: stage on all, verify the digest on all, switch all, publish. Until then, and after any failure, the old weights serve on. Ask for it in JSON, or send a safetensors file as `application/octet-stream`, which is streamed and never held whole; the query then says the rest.",
    request: {
      query: UploadQuery,
      headers: z.object({
        prefer: z.string().optional().meta({
          description: "`wait=N`: answer when the sync has ended, or after N seconds.",
          example: "wait=120",
        }),
        "idempotency-key": z.string().max(255).optional().meta({
          description: "The same key with the same request gives the same sync, not another one.",
          example: "step-400",
        }),
      }),
      body: {
        required: true,
        content: {
          "application/json": { schema: StartSync, example: SYNC_REQUEST_EXAMPLE },
          "application/octet-stream": {
            schema: z.string().meta({ format: "binary", description: "A .safetensors file." }),
          },
        },
      },
    },
    responses: {
      200: {
        description: "Ended well within the time of `Prefer: wait`.",
        headers: location,
        content: { "application/json": ended },
      },
      202: { description: "Running.", headers: location, content: { "application/json": running } },
      ...problems(
        ...REQUEST_PROBLEMS,
        ...WEIGHT_PROBLEMS,
        ["sync_in_progress", "Sync ws_7d1f2c is running. Wait for it or DELETE it."],
        [
          "idempotency_conflict",
          "Idempotency-Key step-400 was used with another request.",
          { param: "Idempotency-Key" },
        ],
        ["conflict", "Weight sync ws_7d1f2c was aborted; the old weights serve on.", { phase: "stage" }],
        [
          "unsupported_media_type",
          "Content-Type must be application/json or application/octet-stream, got text/plain.",
        ],
        [
          "replica_failed",
          "embedded-1 stopped while it loaded the weights.",
          { phase: "stage", replica: "embedded-1" },
        ],
        ["sync_failed", "The switch failed on embedded-1; it is fenced.", { phase: "switch", replica: "embedded-1" }],
        [
          "store_unavailable",
          "--store sqlite:/var/lib/tidegate/store.db: disk I/O error. Nothing was begun; the weights served are as they were.",
        ],
        ["deadline_exceeded", "The weight sync did not end within its deadline of 120 s.", { phase: "stage" }],
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const { syncs } = c.get("gateway");
    const wait = parseWait(c.req.header("prefer"));
    const { sync: started, uploaded } = await start(c);
    let sync = uploaded ? await received(c, started) : started;
    c.header("location", `/api/weight-syncs/${sync.id}`);
    if (wait !== undefined) {
      c.header("preference-applied", `wait=${wait}`);
      if (sync.state === "running") sync = await syncs.wait(sync.id, wait * 1000, c.get("signal"));
    }
    if (sync.state === "running" || (wait === undefined && sync.state === "completed")) return c.json(sync, 202);
    if (sync.state !== "completed") throw toSyncFailure(sync);
    return c.json(sync, 200);
  },
});

export const listWeightSyncs = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/weight-syncs",
    operationId: "listWeightSyncs",
    tags,
    summary: "List weight syncs",
    description: "The newest first. `after` takes the id of a sync.",
    request: { query: PageQuery },
    responses: {
      200: {
        description: "Weight syncs.",
        content: { "application/json": { schema: WeightSyncList, example: { weight_syncs: [SYNC_EXAMPLE] } } },
      },
      ...problems(["invalid_value", 'limit must be at most 1000, got "5000".', { param: "limit" }]),
    },
  }),
  scope: "read",
  handler: (c) => c.json({ weight_syncs: [...c.get("gateway").syncs.list(toPage(c.req.valid("query")))] }, 200),
});

export const getWeightSync = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/weight-syncs/{id}",
    operationId: "getWeightSync",
    tags,
    summary: "Inspect a weight sync",
    request: { params },
    responses: {
      200: { description: "The sync.", content: { "application/json": ended } },
      ...problems(badId, unknownId),
    },
  }),
  scope: "read",
  handler: async (c) => {
    const { id } = c.req.valid("param");
    const sync = await c.get("gateway").syncs.look(id);
    if (sync === undefined) throw unknownSync(id);
    return c.json(sync, 200);
  },
});

export const abortWeightSync = defineRoute({
  route: createRoute({
    method: "delete",
    path: "/api/weight-syncs/{id}",
    operationId: "abortWeightSync",
    tags,
    summary: "Abort a weight sync",
    description: "Drops what was staged; the old weights serve on. Too late once the switch has begun.",
    request: { params },
    responses: {
      200: {
        description: "Aborted.",
        content: {
          "application/json": { schema: WeightSync, example: { ...RUNNING_SYNC_EXAMPLE, state: "aborted" } },
        },
      },
      ...problems(badId, unknownId, ["conflict", "Weight sync ws_7d1f2c has ended: completed.", { phase: "done" }]),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const { id } = c.req.valid("param");
    const { syncs } = c.get("gateway");
    if ((await syncs.look(id)) === undefined) throw unknownSync(id);
    return c.json(await syncs.abort(id), 200);
  },
});

export const dryRunWeightSync = defineRoute({
  route: createRoute({
    method: "post",
    path: "/api/weight-syncs/dry-run",
    operationId: "dryRunWeightSync",
    tags,
    summary: "Would this weight sync work?",
    description: "Reads the source's headers and asks every replica. Changes nothing.",
    request: {
      body: { required: true, content: { "application/json": { schema: StartSync, example: SYNC_REQUEST_EXAMPLE } } },
    },
    responses: {
      200: {
        description: "Yes, or why not, per replica.",
        content: { "application/json": { schema: DryRunResult, example: DRY_RUN_EXAMPLE } },
      },
      ...problems(...REQUEST_PROBLEMS),
    },
  }),
  scope: "read",
  rawBody: true,
  handler: async (c) => {
    const request = requireSource(await readBody(c, StartSync));
    return c.json(await c.get("gateway").syncs.dryRun(request, c.get("signal")), 200);
  },
});
