/**
 * TRL's communicator and parameter routes: to one `trl vllm-serve` as they are, or to the bridge in front of native vLLM
 * servers. As TRL's own they answer before the work is done; what goes wrong is said by the next call.
 */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import { InitCommunicator, NamedParam, NamedParams, TrlMessage } from "../../src/contract/trl/communicator.ts";
import type { Gateway, LegacyCall } from "../../src/gateway-types.ts";
import { type AnyRoute, asIs, defineRoute } from "../../src/http/define-route.ts";
import type { AppEnv } from "../../src/http/env.ts";
import { type ErrorCase, trlErrors } from "../../src/http/error-responses.ts";
import { parseJsonObject, validate } from "../../src/http/validation.ts";

const toCall = (c: Context<AppEnv>, path: string, body: Uint8Array): LegacyCall => ({
  path,
  headers: c.req.raw.headers,
  body,
  actor: c.var.caller.name,
  requestId: c.var.requestId,
  signal: c.var.signal,
});

const FAILED: ErrorCase = [
  "sync_failed",
  "The weight update through the bridge failed: 1 of 2 ranks left the group. Open the communicator again and send all parameters.",
];

function legacyCall<T>(options: {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly schema: z.ZodType<T>;
  readonly message: (body: T) => string;
  readonly example: string;
  readonly errors: readonly ErrorCase[];
  readonly call: (legacy: Gateway["legacy"], body: T, call: LegacyCall) => Promise<Response | null>;
}): AnyRoute {
  const { path, operationId, summary, description, schema, message, example, errors, call } = options;
  return defineRoute({
    route: createRoute({
      method: "post",
      path,
      operationId,
      tags: ["TRL"],
      summary,
      description,
      request: { body: { required: true, content: { "application/json": { schema } } } },
      responses: {
        200: {
          description: "Received; the work goes on.",
          content: { "application/json": { schema: TrlMessage, example: { message: example } } },
        },
        ...trlErrors(...errors),
      },
    }),
    scope: "weights",
    rawBody: true,
    handler: async (c) => {
      const bytes = new Uint8Array(await c.req.raw.arrayBuffer());
      const body = validate(schema, parseJsonObject(bytes));
      const answer = await call(c.var.gateway.legacy, body, toCall(c, path, bytes));
      return answer === null ? c.json({ message: message(body) }, 200) : asIs(answer);
    },
  });
}

export const trlInitCommunicator = legacyCall({
  path: "/init_communicator/",
  operationId: "trlInitCommunicator",
  summary: "Open the trainer's NCCL group",
  description:
    "Answers as soon as the rendezvous listens on `host` and `port`; the trainer joins as the last rank. In front of native vLLM servers this gateway is the other rank (`world_size` 2) and passes tensors on; embedded replicas take weights through `POST /api/weight-syncs`.",
  schema: InitCommunicator,
  message: () => "Request received, initializing communicator",
  example: "Request received, initializing communicator",
  errors: [
    ["missing_field", "host is required: a string.", "host"],
    ["unsupported", "POST /init_communicator/ needs an NCCL group, and the replicas here have none."],
    ["conflict", "Port 51216 of 0.0.0.0 is in use; choose another port.", "port"],
  ],
  call: (legacy, body, call) => legacy.init(body, call),
});

export const trlUpdateNamedParam = legacyCall({
  path: "/update_named_param/",
  operationId: "trlUpdateNamedParam",
  summary: "Receive one tensor from the group",
  description: "The trainer broadcasts after the answer, then waits at the group's barrier.",
  schema: NamedParam,
  message: () => "Request received, updating named parameter",
  example: "Request received, updating named parameter",
  errors: [
    ["missing_field", "name is required.", "name"],
    ["conflict", "There is no communicator: call /init_communicator/ first."],
    FAILED,
  ],
  call: (legacy, body, call) => legacy.update([body], false, call),
});

export const trlBatchUpdateNamedParams = legacyCall({
  path: "/batch_update_named_params/",
  operationId: "trlBatchUpdateNamedParams",
  summary: "Receive several tensors from the group",
  description: "As forks of TRL send it: broadcasts in the order of the list, one barrier after all of them.",
  schema: NamedParams,
  message: ({ params }) => `Batch update started for ${params.length} parameters`,
  example: "Batch update started for 1 parameters",
  errors: [
    ["missing_field", "params is required.", "params"],
    ["conflict", "There is no communicator: call /init_communicator/ first."],
    FAILED,
  ],
  call: (legacy, body, call) => legacy.update(body.params, true, call),
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
      ...trlErrors(["replica_failed", "trl-0 answered 500 to POST /close_communicator/: Internal Server Error"]),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const answer = await c.var.gateway.legacy.close(toCall(c, "/close_communicator/", new Uint8Array(0)));
    return answer === null ? c.json({ message: "Request received, closing communicator" }, 200) : asIs(answer);
  },
});
