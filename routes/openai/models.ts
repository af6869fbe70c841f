/** `GET /v1/models`, `GET /v1/models/{id}`: what the fleet serves now. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { ModelList, ModelObject } from "../../src/contract/openai/models.ts";
import { GatewayError } from "../../src/errors.ts";
import type { ModelCard } from "../../src/gateway-types.ts";
import { defineRoute } from "../../src/http/define-route.ts";
import { openAiErrors } from "../../src/http/error-responses.ts";

function toModelObject(card: ModelCard): z.infer<typeof ModelObject> {
  return {
    id: card.id,
    object: "model",
    created: card.created,
    owned_by: "tidegate",
    root: card.root,
    parent: card.parent,
    max_model_len: card.maxModelLen,
    ...(card.adapterVersion === undefined ? {} : { adapter_version: card.adapterVersion }),
    permission: [
      {
        id: `modelperm-${card.id}`,
        object: "model_permission",
        created: card.created,
        allow_create_engine: false,
        allow_sampling: true,
        allow_logprobs: true,
        allow_search_indices: false,
        allow_view: true,
        allow_fine_tuning: false,
        organization: "*",
        group: null,
        is_blocking: false,
      },
    ],
  };
}

export const listModels = defineRoute({
  route: createRoute({
    method: "get",
    path: "/v1/models",
    operationId: "listModels",
    tags: ["OpenAI"],
    summary: "Models that the fleet serves",
    responses: { 200: { description: "All models.", content: { "application/json": { schema: ModelList } } } },
  }),
  scope: "generate",
  handler: (c) =>
    c.json({ object: "list" as const, data: c.var.gateway.fleet.models().map((card) => toModelObject(card)) }, 200),
});

export const getModel = defineRoute({
  route: createRoute({
    method: "get",
    path: "/v1/models/{id}",
    operationId: "getModel",
    tags: ["OpenAI"],
    summary: "One model",
    request: { params: z.object({ id: z.string().meta({ example: "tide-nano" }) }) },
    responses: {
      200: { description: "The model.", content: { "application/json": { schema: ModelObject } } },
      ...openAiErrors(["model_not_found", "The model `nope` does not exist. Valid aliases: tide-nano.", "model"]),
    },
  }),
  scope: "generate",
  handler: (c) => {
    const { id } = c.req.valid("param");
    const cards = c.var.gateway.fleet.models();
    const card = cards.find((one) => one.id === id);
    if (card !== undefined) return c.json(toModelObject(card), 200);
    const known = cards.map((one) => one.id).join(", ");
    throw new GatewayError("model_not_found", `The model \`${id}\` does not exist. Valid aliases: ${known}.`, {
      param: "model",
    });
  },
});
