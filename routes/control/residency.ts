/** `/api/models/{id}/residency`: where the weights of a served model are, and moving them at run time. */
import { createRoute, z } from "@hono/zod-openapi";
import {
  ModelResidency,
  PlanDirective,
  PutResidency,
  ResidencyDirective,
} from "../../src/contract/control/residency.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { type ProblemCase, problems } from "../../src/http/problem-responses.ts";
import { parseJsonObject, validate } from "../../src/http/validation.ts";
import { MODEL_RESIDENCY_EXAMPLE, OFFLOAD_PLAN_REQUEST_EXAMPLE } from "./examples-offload.ts";

const tags = ["weights"];
/** `{id}` is one path segment; an id with a slash is sent encoded. */
const params = z.object({ id: z.string().min(1).max(512).meta({ example: "tide-nano" }) });
const content = { "application/json": { schema: ModelResidency, example: MODEL_RESIDENCY_EXAMPLE } };
const PROBLEMS: readonly ProblemCase[] = [
  ["unsupported", "The replicas of llama do not tell where their weights are.", { param: "model" }],
  ["model_not_found", "The model llama is not served. Served: tide-nano.", { param: "model" }],
  ["conflict", "Replica embedded-0 of tide-nano is starting; its weights cannot be asked about now."],
  ["replica_failed", "The worker went down while it moved its weights.", { replica: "embedded-0" }],
];

export const getModelResidency = defineRoute({
  route: createRoute({
    method: "get",
    path: "/api/models/{id}/residency",
    operationId: "getModelResidency",
    tags,
    summary: "Where the weights of a model are",
    description: "Measured by the worker of each replica: bytes per tier, and what streaming has cost.",
    request: { params },
    responses: { 200: { description: "Each replica's report.", content }, ...problems(...PROBLEMS) },
  }),
  scope: "read",
  handler: async (c) => c.json(await c.get("gateway").residency.get(c.req.valid("param").id, c.get("signal")), 200),
});

export const putModelResidency = defineRoute({
  route: createRoute({
    method: "put",
    path: "/api/models/{id}/residency",
    operationId: "putModelResidency",
    tags,
    summary: "Move the weights of a model",
    description:
      "Applies a DeepSpeed configuration (`deepspeed_config`, `offload_to_cpu`, `compat`, as for `/api/offload-plans`; the model's own directory is used) or a directive in bytes. Weights move between two steps; running generations go on with the same numbers. On all replicas of the model or on none. What is left out has its default: `{}` puts everything into memory. A restarted worker gets the same again.",
    request: {
      params,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: PutResidency,
            examples: {
              plan: { value: { deepspeed_config: OFFLOAD_PLAN_REQUEST_EXAMPLE.deepspeed_config } },
              directive: { value: { groups: { "layers.3": "disk" }, max_in_cpu_bytes: 1048576, buffer_count: 1 } },
            },
          },
        },
      },
    },
    responses: {
      200: { description: "Each replica's report afterwards; with a configuration, the plan.", content },
      ...problems(
        ...PROBLEMS,
        ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
        [
          "missing_field",
          "zero_optimization is required in a DeepSpeed configuration.",
          { param: "zero_optimization" },
        ],
        [
          "invalid_value",
          'zero_optimization.offload_param.device must be one of "none", "cpu", "nvme", or "auto", got 5.',
          { param: "zero_optimization.offload_param.device" },
        ],
        ["unknown_field", "budget is not a field of this request.", { param: "budget" }],
        [
          "limit_exceeded",
          "The weights need 520192 bytes at least for one step; the budget is 1024.",
          { missing_bytes: 519168 },
        ],
        [
          "source_unreadable",
          "The model /models/llama does not exist; give the directory of a Hugging Face checkpoint.",
        ],
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => {
    const body = parseJsonObject(new Uint8Array(await c.req.raw.arrayBuffer()));
    // One of the two is meant: a refusal names the field of that one.
    const request = "deepspeed_config" in body ? validate(PlanDirective, body) : validate(ResidencyDirective, body);
    return c.json(await c.get("gateway").residency.put(c.req.valid("param").id, request, c.get("signal")), 200);
  },
});
