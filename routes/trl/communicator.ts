/**
 * TRL's communicator and parameter routes. They need an NCCL group: after FastAPI's check of the body they say so with
 * 400 or 409. TRL's own server says "Request received" before anything happened; this one never does.
 */
import { createRoute } from "@hono/zod-openapi";
import type { z } from "zod";
import { InitCommunicator, NamedParam, NamedParams, TrlMessage } from "../../src/contract/trl/communicator.ts";
import { type AnyRoute, defineRoute } from "../../src/http/define-route.ts";
import { trlErrors } from "../../src/http/error-responses.ts";
import { refuseNccl } from "../../src/http/no-nccl.ts";
import { readBody } from "../../src/http/validation.ts";

function refusing(options: {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly schema: z.ZodType;
  readonly code: "unsupported" | "conflict";
  readonly message: string;
  readonly missing: string;
}): AnyRoute {
  const { path, operationId, summary, schema, code, message, missing } = options;
  return defineRoute({
    route: createRoute({
      method: "post",
      path,
      operationId,
      tags: ["TRL"],
      summary,
      description: "Refused while no replica has an NCCL group; weights come through `POST /api/weight-syncs`.",
      request: { body: { required: true, content: { "application/json": { schema } } } },
      responses: {
        200: {
          description: "Done on every replica.",
          content: { "application/json": { schema: TrlMessage, example: { message } } },
        },
        ...trlErrors(
          ["missing_field", `${missing} is required.`, missing],
          [
            code,
            `POST ${path} needs an NCCL group, and the replicas here have none. Use POST /api/weight-syncs instead.`,
          ],
        ),
      },
    }),
    scope: "weights",
    rawBody: true,
    handler: async (c) => {
      await readBody(c, schema);
      return refuseNccl(`POST ${path}`, code);
    },
  });
}

export const trlInitCommunicator = refusing({
  path: "/init_communicator/",
  operationId: "trlInitCommunicator",
  summary: "Join the trainer's NCCL group",
  schema: InitCommunicator,
  code: "unsupported",
  message: "Request received, initializing communicator",
  missing: "host",
});

export const trlUpdateNamedParam = refusing({
  path: "/update_named_param/",
  operationId: "trlUpdateNamedParam",
  summary: "Receive one tensor from the group",
  schema: NamedParam,
  code: "conflict",
  message: "Request received, updating named parameter",
  missing: "name",
});

export const trlBatchUpdateNamedParams = refusing({
  path: "/batch_update_named_params/",
  operationId: "trlBatchUpdateNamedParams",
  summary: "Receive several tensors from the group",
  schema: NamedParams,
  code: "conflict",
  message: "Batch update started for 1 parameters",
  missing: "params",
});

export const trlCloseCommunicator = defineRoute({
  route: createRoute({
    method: "post",
    path: "/close_communicator/",
    operationId: "trlCloseCommunicator",
    tags: ["TRL"],
    summary: "Leave the trainer's NCCL group",
    description: "Nothing to leave is fine: clients send this when they exit.",
    responses: {
      200: {
        description: "No group is held.",
        content: {
          "application/json": { schema: TrlMessage, example: { message: "Request received, closing communicator" } },
        },
      },
    },
  }),
  scope: "weights",
  handler: (c) => c.json({ message: "Request received, closing communicator" }, 200),
});
