/** `POST /v1/responses`. Forwarded unread where the replica speaks OpenAI, understood only where not. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { ResponseAnswer, ResponseRequest } from "../../src/contract/openai/responses.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { GENERATION_PARAMETERS, STAMP_HEADERS } from "../../src/http/documented-headers.ts";
import { GENERATION_ERRORS, openAiErrors } from "../../src/http/error-responses.ts";
import { dispatchCall, readCall } from "../../src/http/inbound.ts";
import { parseContextOf } from "../../src/http/openai/parse-context.ts";
import { toResponsesAnswer } from "../../src/http/openai/responses/answer.ts";
import { parseResponse } from "../../src/http/openai/responses/request.ts";

const STREAM_EXAMPLE =
  'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_0f0f","output_index":0,"content_index":0,"delta":"42","logprobs":[]}\n\n';

export const createResponse = defineRoute({
  route: createRoute({
    method: "post",
    path: "/v1/responses",
    operationId: "createResponse",
    tags: ["OpenAI"],
    summary: "Answer a text or a conversation",
    description:
      "OpenAI's responses with vLLM's additions: text in, text out, structured by `text.format`. Embedded replicas keep no response: `store: true`, `previous_response_id`, `conversation`, `background` and tools are refused by name. vLLM servers get the request byte for byte.",
    parameters: [...GENERATION_PARAMETERS],
    request: { body: { required: true, content: { "application/json": { schema: ResponseRequest } } } },
    responses: {
      200: {
        description: "The response; with `stream: true` as server-sent events that end in `response.completed`.",
        headers: STAMP_HEADERS,
        content: {
          "application/json": { schema: ResponseAnswer },
          "text/event-stream": { schema: z.string().meta({ example: STREAM_EXAMPLE }) },
        },
      },
      ...openAiErrors(...GENERATION_ERRORS),
    },
  }),
  scope: "generate",
  rawBody: true,
  handler: async (c) => {
    const call = readCall(c, "openai", await c.req.raw.arrayBuffer());
    const { outcome, parsed } = await dispatchCall(c, call, (body) => parseResponse(body, parseContextOf(c)));
    return asIs(await toResponsesAnswer(c, outcome, parsed));
  },
});
