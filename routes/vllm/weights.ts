/**
 * vLLM's weight transfer routes, for a trainer that believes it talks to one server: the call goes to every server of
 * the fleet and is answered when all have answered. Never 500, 502 or 503, which trainers repeat blindly.
 */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import {
  FinishWeightUpdate,
  InitWeightTransfer,
  StartWeightUpdate,
  UpdateWeights,
  UpdateWeightVersion,
  WeightInfo,
  WeightMessage,
  WeightVersionSet,
} from "../../src/contract/vllm/weights.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Gateway, TrainerAnswer, TrainerCaller } from "../../src/gateway-types.ts";
import { type AnyRoute, defineRoute } from "../../src/http/define-route.ts";
import type { AppEnv } from "../../src/http/env.ts";
import { type ErrorCase, openAiErrors } from "../../src/http/error-responses.ts";
import { refuseNccl } from "../../src/http/no-nccl.ts";
import { readBody } from "../../src/http/validation.ts";

const toCaller = (c: Context<AppEnv>): TrainerCaller => ({
  actor: c.var.caller.name,
  requestId: c.var.requestId,
  signal: c.var.signal,
});

/** vLLM's message, with one result per server behind it. */
function toMessage(message: string, { servers, published }: TrainerAnswer): z.infer<typeof WeightMessage> {
  return {
    message,
    ...(servers.length === 0 ? {} : { servers: servers.map((server) => ({ ...server })) }),
    ...(published === undefined
      ? {}
      : { version: published.version, weight_version: published.label, sync: published.sync }),
  };
}

/** Without any server that speaks these routes they cannot work: then the way that does is named. */
function refuseWithoutServers(gateway: Gateway, call: string): void {
  const { servers } = gateway.fleet.snapshot();
  if (servers.length > 0 && servers.every(({ kind }) => kind !== "vllm")) {
    refuseNccl(call, call.endsWith("_engine") ? "unsupported" : "conflict");
  }
}

const FAILED: ErrorCase = [
  "replica_failed",
  "update failed on 1 of 2 servers. vllm-1: /update_weights of http://10.0.0.8:8000: Timed out waiting 15000ms for recv operation to complete",
];
const LATE: ErrorCase = [
  "deadline_exceeded",
  "update failed on 1 of 2 servers. vllm-1: It did not answer before the deadline.",
];

/** One weight call. `message` is what vLLM answers. */
function weightCall<T>(options: {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly schema: z.ZodType<T>;
  readonly message: string;
  readonly errors: readonly ErrorCase[];
  readonly call: (gateway: Gateway, body: T, caller: TrainerCaller) => Promise<TrainerAnswer>;
}): AnyRoute {
  const { path, operationId, summary, description, schema, message, errors, call } = options;
  return defineRoute({
    route: createRoute({
      method: "post",
      path,
      operationId,
      tags: ["vLLM"],
      summary,
      description,
      request: { body: { required: false, content: { "application/json": { schema } } } },
      responses: {
        200: {
          description: "Done on every server.",
          content: {
            "application/json": { schema: WeightMessage, example: { message, servers: [{ id: "vllm-0" }] } },
          },
        },
        ...openAiErrors(
          ["unsupported", `POST ${path} needs vLLM servers; embedded replicas take POST /api/weight-syncs.`],
          ...errors,
          FAILED,
          LATE,
        ),
      },
    }),
    scope: "weights",
    rawBody: true,
    handler: async (c) => {
      const body = await readBody(c, schema, { emptyIsObject: true });
      const { gateway } = c.var;
      refuseWithoutServers(gateway, `POST ${path}`);
      return c.json(toMessage(message, await call(gateway, body, toCaller(c))), 200);
    },
  });
}

export const initWeightTransferEngine = weightCall({
  path: "/init_weight_transfer_engine",
  operationId: "initWeightTransferEngine",
  summary: "Join the trainer's group",
  description:
    "Goes to all servers at once. Each gets its own `rank_offset`: the trainer's ranks come first, then the servers in order of attachment. `world_size` must be the trainer's ranks plus `/get_world_size`, or nobody joins.",
  schema: InitWeightTransfer,
  message: "Weight transfer initialized",
  errors: [
    ["missing_field", "init_info is required: an object.", "init_info"],
    [
      "invalid_value",
      'init_info.master_address must be an address at which every server reaches the trainer, got "0.0.0.0": it is the wildcard.',
      "init_info.master_address",
    ],
    [
      "conflict",
      "init_info.world_size must be 6, got 5: 1 of the trainer (rank_offset) and 5 of the fleet (vllm-0: 4, vllm-1: 1).",
      "init_info.world_size",
    ],
    ["sync_in_progress", "Sync ws_7d1f2c is running. Wait for it."],
  ],
  call: (gateway, body, caller) => gateway.trainer.join(body.init_info, caller),
});

export const startWeightUpdate = weightCall({
  path: "/start_weight_update",
  operationId: "startWeightUpdate",
  summary: "Open a weight update",
  description:
    "From the first byte of this call until the finish is confirmed no generation reaches the servers: it waits, or goes to a server outside the update. Running ones are awaited (`--trainer-mode`, or the trainer's own `/pause`).",
  schema: StartWeightUpdate,
  message: "Weight update started",
  errors: [
    ["conflict", "No server has joined a trainer's group: call /init_weight_transfer_engine first."],
    ["sync_in_progress", "Sync ws_7d1f2c is running. Wait for it."],
  ],
  call: (gateway, body, caller) => gateway.trainer.start(body.is_checkpoint_format ?? undefined, caller),
});

export const updateWeights = weightCall({
  path: "/update_weights",
  operationId: "updateWeights",
  summary: "Receive tensors from the trainer",
  description:
    "Answers when every server has received them. When one fails, all servers of the update are fenced until a complete update succeeded.",
  schema: UpdateWeights,
  message: "Weights updated",
  errors: [
    ["missing_field", "update_info is required: an object or a list of objects.", "update_info"],
    [
      "invalid_value",
      "update_info.names, dtype_names and shapes must be of equal length, got 2, 1 and 2.",
      "update_info",
    ],
    ["conflict", "No update is open: call /start_weight_update first."],
  ],
  call: (gateway, body, caller) => gateway.trainer.update(body.update_info, caller),
});

export const finishWeightUpdate = weightCall({
  path: "/finish_weight_update",
  operationId: "finishWeightUpdate",
  summary: "Close a weight update",
  description:
    "Publishes a new fleet version for the servers that confirmed. `weight_version` is forwarded as their label, or one is made up; a label that is a number is the version itself.",
  schema: FinishWeightUpdate,
  message: "Weight update finished",
  errors: [
    ["invalid_value", "weight_version must be a string, got 3.", "weight_version"],
    ["conflict", 'weight_version "7" goes backwards: the fleet serves version 8.', "weight_version"],
  ],
  call: (gateway, body, caller) => gateway.trainer.finish(body.weight_version ?? null, caller),
});

export const shutdownWeightTransferEngine = defineRoute({
  route: createRoute({
    method: "post",
    path: "/shutdown_weight_transfer_engine",
    operationId: "shutdownWeightTransferEngine",
    tags: ["vLLM"],
    summary: "Leave the trainer's group",
    description: "Nothing to leave is fine, as in vLLM.",
    responses: {
      200: {
        description: "No group is held.",
        content: { "application/json": { schema: WeightMessage, example: { message: "Weight transfer shut down" } } },
      },
      ...openAiErrors(["conflict", "An update is open: finish it before the group is left."], FAILED, LATE),
    },
  }),
  scope: "weights",
  handler: async (c) =>
    c.json(toMessage("Weight transfer shut down", await c.var.gateway.trainer.leave(toCaller(c))), 200),
});

/** The label of the published version, or the version itself. */
function currentLabel(gateway: Gateway): string {
  const { weight_version } = gateway.fleet.snapshot();
  return gateway.versions.get(weight_version)?.label ?? String(weight_version);
}

export const updateWeightVersion = defineRoute({
  route: createRoute({
    method: "post",
    path: "/update_weight_version",
    operationId: "updateWeightVersion",
    tags: ["vLLM"],
    summary: "Confirm the version label",
    description:
      "Versions are given by weight syncs and only grow; the current one may be confirmed, any other is refused.",
    request: { body: { required: true, content: { "application/json": { schema: UpdateWeightVersion } } } },
    responses: {
      200: {
        description: "It is the current version.",
        content: { "application/json": { schema: WeightVersionSet, example: { success: true, new_version: "7" } } },
      },
      ...openAiErrors(
        ["missing_field", "new_version is required: a string.", "new_version"],
        ["conflict", 'The fleet serves weight version 7, not "step-8". A weight sync gives versions.', "new_version"],
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const { new_version } = await readBody(c, UpdateWeightVersion, { emptyIsObject: true });
    const { gateway } = c.var;
    const current = String(gateway.fleet.snapshot().weight_version);
    if (new_version === current || new_version === currentLabel(gateway)) {
      return c.json({ success: true, new_version }, 200);
    }
    throw new GatewayError(
      "conflict",
      `The fleet serves weight version ${current}, not ${JSON.stringify(new_version)}. A weight sync gives versions: POST /api/weight-syncs with "version" or "label".`,
      { param: "new_version" },
    );
  },
});

export const getWeightInfo = defineRoute({
  route: createRoute({
    method: "get",
    path: "/weight_info",
    operationId: "weightInfo",
    tags: ["vLLM"],
    summary: "Version of the weights that are served",
    description: "The label of the published version, as a trainer gave it; its number where it has none.",
    responses: { 200: { description: "The version.", content: { "application/json": { schema: WeightInfo } } } },
  }),
  scope: "weights",
  handler: (c) => c.json({ weight_version: currentLabel(c.var.gateway) }, 200),
});
