/** `POST /generate/`, `POST /chat/`: TRL's generation, in the 0.16 and the 0.17 to 1.10 forms. */
import { createRoute } from "@hono/zod-openapi";
import {
  TrlChatRequest,
  TrlGenerateOptions,
  TrlGenerateRequest,
  TrlGenerateResponse,
} from "../../src/contract/trl/generate.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { GENERATION_PARAMETERS, STAMP_HEADERS } from "../../src/http/documented-headers.ts";
import { GENERATION_ERRORS, trlErrors } from "../../src/http/error-responses.ts";
import { createBatchForm, dispatchCall, readCall } from "../../src/http/inbound.ts";
import { toTrlAnswer, trlJson } from "../../src/http/trl/answer.ts";
import { hasEmptyList } from "../../src/http/trl/empty-list.ts";
import { EMPTY_ANSWER, renderTrl } from "../../src/http/trl/render.ts";
import { parseTrlChat, parseTrlGenerate } from "../../src/http/trl/to-request.ts";
import { parseJsonObject, validate } from "../../src/http/validation.ts";

const responses = {
  200: {
    description: "Token ids, prompt-major, and their logprobs.",
    headers: STAMP_HEADERS,
    content: { "application/json": { schema: TrlGenerateResponse } },
  },
  ...trlErrors(...GENERATION_ERRORS),
};

const PROMPTS = createBatchForm(["prompts", "images"], "trl");
const CONVERSATIONS = createBatchForm(["messages"], "trl");

export const trlGenerate = defineRoute({
  route: createRoute({
    method: "post",
    path: "/generate/",
    operationId: "trlGenerate",
    tags: ["TRL"],
    summary: "Continue prompts, n times each",
    description:
      "TRL 0.16 reads only `completion_ids`. An empty list of prompts is answered with empty lists. Several prompts are shared out over replicas of one weight version, and their completions come in order, prompt-major.",
    parameters: [...GENERATION_PARAMETERS],
    request: { body: { required: true, content: { "application/json": { schema: TrlGenerateRequest } } } },
    responses,
  }),
  scope: "generate",
  rawBody: true,
  handler: async (c) => {
    const call = readCall(c, "trl", await c.req.raw.arrayBuffer(), PROMPTS);
    if (hasEmptyList(call.body, "prompts")) {
      // RLT's client sends this when there are fewer prompts than servers.
      const { prompts: _, ...rest } = parseJsonObject(call.body);
      validate(TrlGenerateOptions, rest);
      return asIs(trlJson(EMPTY_ANSWER));
    }
    const around = { requestId: call.requestId, maxTokensPerRequest: c.var.gateway.config.maxTokensPerRequest };
    const { outcome, parsed } = await dispatchCall(c, call, (body) => parseTrlGenerate(body, around));
    return asIs(await toTrlAnswer(outcome, parsed, renderTrl));
  },
});

export const trlChat = defineRoute({
  route: createRoute({
    method: "post",
    path: "/chat/",
    operationId: "trlChat",
    tags: ["TRL"],
    summary: "Answer conversations, n times each",
    parameters: [...GENERATION_PARAMETERS],
    request: { body: { required: true, content: { "application/json": { schema: TrlChatRequest } } } },
    responses,
  }),
  scope: "generate",
  rawBody: true,
  handler: async (c) => {
    const call = readCall(c, "trl", await c.req.raw.arrayBuffer(), CONVERSATIONS);
    if (hasEmptyList(call.body, "messages")) return asIs(trlJson(EMPTY_ANSWER));
    const { maxTokensPerRequest, trustRequestChatTemplate } = c.var.gateway.config;
    const around = { requestId: call.requestId, maxTokensPerRequest, trustRequestChatTemplate };
    const { outcome, parsed } = await dispatchCall(c, call, (body, bytes) => parseTrlChat(body, around, bytes));
    return asIs(await toTrlAnswer(outcome, parsed, renderTrl));
  },
});
