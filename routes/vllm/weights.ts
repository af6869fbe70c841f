/**
 * vLLM's weight transfer routes. They need an NCCL group, which embedded replicas do not have: after the same checks
 * of the body as vLLM's, they say so with 400 or 409 – never 500, 502 or 503, which trainers repeat blindly.
 */
import { createRoute } from "@hono/zod-openapi";
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
import { type AnyRoute, defineRoute } from "../../src/http/define-route.ts";
import { type ErrorCase, openAiErrors } from "../../src/http/error-responses.ts";
import { refuseNccl } from "../../src/http/no-nccl.ts";
import { readBody } from "../../src/http/validation.ts";

const NEEDS_NCCL = "needs an NCCL group, and the replicas here have none. Use POST /api/weight-syncs instead.";

/** A route that checks its body and then refuses. `message` is what vLLM answers where it works. */
function refusing(options: {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly schema?: z.ZodType;
  readonly code: "unsupported" | "conflict";
  readonly message: string;
  readonly invalid?: ErrorCase;
}): AnyRoute {
  const { path, operationId, summary, schema, code, message, invalid } = options;
  const refusal: ErrorCase = [code, `POST ${path} ${NEEDS_NCCL}`];
  return defineRoute({
    route: createRoute({
      method: "post",
      path,
      operationId,
      tags: ["vLLM"],
      summary,
      description: "Refused while no replica has an NCCL group; weights come through `POST /api/weight-syncs`.",
      ...(schema === undefined
        ? {}
        : { request: { body: { required: false, content: { "application/json": { schema } } } } }),
      responses: {
        200: {
          description: "Done on every replica.",
          content: { "application/json": { schema: WeightMessage, example: { message } } },
        },
        ...openAiErrors(...(invalid === undefined ? [] : [invalid]), refusal),
      },
    }),
    scope: "weights",
    rawBody: true,
    handler: async (c) => {
      if (schema !== undefined) await readBody(c, schema, { emptyIsObject: true });
      return refuseNccl(`POST ${path}`, code);
    },
  });
}

export const initWeightTransferEngine = refusing({
  path: "/init_weight_transfer_engine",
  operationId: "initWeightTransferEngine",
  summary: "Join the trainer's NCCL group",
  schema: InitWeightTransfer,
  code: "unsupported",
  message: "Weight transfer initialized",
  invalid: ["missing_field", "init_info is required: an object.", "init_info"],
});

export const startWeightUpdate = refusing({
  path: "/start_weight_update",
  operationId: "startWeightUpdate",
  summary: "Open a weight update",
  schema: StartWeightUpdate,
  code: "conflict",
  message: "Weight update started",
});

export const updateWeights = refusing({
  path: "/update_weights",
  operationId: "updateWeights",
  summary: "Receive tensors from the group",
  schema: UpdateWeights,
  code: "conflict",
  message: "Weights updated",
  invalid: ["missing_field", "update_info is required: an object or a list of objects.", "update_info"],
});

export const finishWeightUpdate = refusing({
  path: "/finish_weight_update",
  operationId: "finishWeightUpdate",
  summary: "Close a weight update",
  schema: FinishWeightUpdate,
  code: "conflict",
  message: "Weight update finished",
  invalid: ["invalid_value", "weight_version must be a string, got 3.", "weight_version"],
});

export const shutdownWeightTransferEngine = defineRoute({
  route: createRoute({
    method: "post",
    path: "/shutdown_weight_transfer_engine",
    operationId: "shutdownWeightTransferEngine",
    tags: ["vLLM"],
    summary: "Leave the trainer's NCCL group",
    description: "Nothing to leave is fine, as in vLLM.",
    responses: {
      200: {
        description: "No group is held.",
        content: { "application/json": { schema: WeightMessage, example: { message: "Weight transfer shut down" } } },
      },
    },
  }),
  scope: "weights",
  handler: (c) => c.json({ message: "Weight transfer shut down" }, 200),
});

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
    const current = String(c.var.gateway.fleet.snapshot().weight_version);
    if (new_version === current) return c.json({ success: true, new_version }, 200);
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
    responses: { 200: { description: "The version.", content: { "application/json": { schema: WeightInfo } } } },
  }),
  scope: "weights",
  handler: (c) => c.json({ weight_version: String(c.var.gateway.fleet.snapshot().weight_version) }, 200),
});
