/** `GET /get_world_size`, `GET /server_info`: what a trainer asks before it forms a group. */
import { createRoute } from "@hono/zod-openapi";
import { OUTPUT_LOGPROBS_LIMIT } from "../../src/contract/sampling.ts";
import { ServerInfo, ServerInfoQuery, toBoolean, WorldSize, WorldSizeQuery } from "../../src/contract/vllm/control.ts";
import type { Gateway } from "../../src/gateway-types.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { openAiErrors } from "../../src/http/error-responses.ts";
import { targetOf } from "../../src/http/inbound.ts";
import { toForwardedResponse } from "../../src/http/stamp.ts";

export const getWorldSize = defineRoute({
  route: createRoute({
    method: "get",
    path: "/get_world_size",
    operationId: "getWorldSize",
    tags: ["vLLM"],
    summary: "Ranks that receive weights, over all replicas",
    description:
      "The servers that could join a trainer's group now: those that are up and answer. With `include_dp=false` the sum of what each server says without its own data parallelism.",
    request: { query: WorldSizeQuery },
    responses: {
      200: { description: "The sum over the fleet.", content: { "application/json": { schema: WorldSize } } },
      ...openAiErrors(["invalid_value", 'include_dp must be one of "true", "false", got "maybe".', "include_dp"]),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const includeDp = toBoolean(c.req.valid("query").include_dp, true);
    return c.json({ world_size: await c.var.gateway.trainer.worldSize(includeDp, c.var.signal) }, 200);
  },
});

/** What can be said of embedded replicas in vLLM's words: no transfer config, so trainers see at once that NCCL is off. */
function toServerInfo(gateway: Gateway) {
  const models = gateway.fleet.models();
  return {
    vllm_config: {
      model_config: {
        model: models[0]?.root ?? null,
        served_model_name: models[0]?.id ?? null,
        max_model_len: models[0]?.maxModelLen ?? null,
        // Embedded replicas compute in 32 bit whatever the checkpoint holds.
        dtype: "torch.float32",
        max_logprobs: gateway.config.maxLogprobs ?? OUTPUT_LOGPROBS_LIMIT,
        logprobs_mode: gateway.config.logprobsMode,
      },
      weight_transfer_config: null,
    },
    vllm_env: {},
    system_env: { runtime: gateway.ports.runtime },
  };
}

export const getServerInfo = defineRoute({
  route: createRoute({
    method: "get",
    path: "/server_info",
    operationId: "serverInfo",
    tags: ["vLLM"],
    summary: "Configuration, as trainers read it",
    description:
      "Answered by a vLLM replica where there is one. Embedded replicas say `weight_transfer_config: null`: they take weights through `POST /api/weight-syncs`, not through NCCL.",
    request: { query: ServerInfoQuery },
    responses: {
      200: { description: "The configuration.", content: { "application/json": { schema: ServerInfo } } },
      ...openAiErrors(["invalid_value", 'config_format must be one of "text", "json", got "xml".', "config_format"]),
    },
  }),
  scope: "weights",
  handler: async (c) => {
    const { gateway, requestId, signal } = c.var;
    const outcome = await gateway.generation.forwardAny({
      requestId,
      wire: "vllm",
      method: "GET",
      target: targetOf(c.req.raw.url),
      headers: c.req.raw.headers,
      body: new Uint8Array(0),
      model: undefined,
      wishes: { waitSeconds: 0 },
      signal,
    });
    if (outcome?.kind === "forwarded") return asIs(toForwardedResponse(outcome.response, outcome.stamp));
    const info = toServerInfo(gateway);
    const asJson = c.req.valid("query").config_format === "json";
    return c.json({ ...info, vllm_config: asJson ? info.vllm_config : JSON.stringify(info.vllm_config) }, 200);
  },
});
