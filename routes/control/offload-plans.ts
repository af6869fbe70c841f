/** `/api/offload-plans`: resolve a DeepSpeed configuration, as TRL's `prepare_deepspeed` does, and place a model by it. */
import { createRoute } from "@hono/zod-openapi";
import { OffloadPlan, OffloadPlanRequest } from "../../src/contract/control/offload-plans.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { problems } from "../../src/http/problem-responses.ts";
import { readBody } from "../../src/http/validation.ts";
import { OFFLOAD_PLAN_EXAMPLE, OFFLOAD_PLAN_REQUEST_EXAMPLE } from "./examples-offload.ts";

export const createOffloadPlan = defineRoute({
  route: createRoute({
    method: "post",
    path: "/api/offload-plans",
    operationId: "createOffloadPlan",
    tags: ["weights"],
    summary: "Plan an offload",
    description:
      "Resolves a DeepSpeed configuration for a model that only generates, as TRL's `prepare_deepspeed` does: a stage other than 3 becomes 0, the hidden-size dependent keys are set, weights go to the cpu on demand. The answer has TRL 0.15's exact result and the corrected one, says why they differ, and places the model's groups of weights on device, cpu and disk. Nothing is loaded or changed; `PUT /api/models/{id}/residency` applies it.",
    request: {
      body: {
        required: true,
        content: { "application/json": { schema: OffloadPlanRequest, example: OFFLOAD_PLAN_REQUEST_EXAMPLE } },
      },
    },
    responses: {
      200: {
        description: "The plan.",
        content: { "application/json": { schema: OffloadPlan, example: OFFLOAD_PLAN_EXAMPLE } },
      },
      ...problems(
        ["malformed_json", "The request body is not valid JSON: Unexpected end of input"],
        [
          "missing_field",
          "zero_optimization.offload_param is required by TRL 0.15 (KeyError: 'offload_param'); it is missing.",
          { param: "zero_optimization.offload_param" },
        ],
        [
          "invalid_value",
          'zero_optimization.offload_param.device must be one of "none", "cpu", "nvme", or "auto", got 5.',
          { param: "zero_optimization.offload_param.device" },
        ],
        ["unknown_field", "deepspeed is not a field of this request.", { param: "deepspeed" }],
        ["unsupported", "distributed_type is FSDP; only DEEPSPEED has a plan to make.", { param: "distributed_type" }],
        [
          "source_unreadable",
          "The model /models/nowhere does not exist; give the directory of a Hugging Face checkpoint.",
        ],
        ["weights_malformed", "The header is not JSON: Expected a value at character 0."],
        ["weights_truncated", 'The file ends inside tensor "lm_head.weight": 128 bytes instead of 256.'],
        ["weights_missing_tensor", 'The index says that b.safetensors holds tensor "a"; it does not.', { tensor: "a" }],
        ["weights_duplicate_tensor", 'Tensor "a" is in a.safetensors and again in b.safetensors.', { tensor: "a" }],
        [
          "limit_exceeded",
          "zero_optimization.offload_param.max_in_cpu is 1000 elements; a step needs the largest tensor of layers.0, 65536: 129072 bytes are missing. Raise max_in_cpu to 65536 at least.",
          { param: "zero_optimization.offload_param.max_in_cpu", missing_bytes: 129072 },
        ],
      ),
    },
  }),
  scope: "weights",
  rawBody: true,
  handler: async (c) => c.json(await c.get("gateway").offloadPlans.create(await readBody(c, OffloadPlanRequest)), 200),
});
