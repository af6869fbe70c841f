/** `POST /v1/chat/completions`. Forwarded unread where the replica speaks OpenAI, understood only where not. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { ChatCompletionRequest, ChatCompletionResponse } from "../../src/contract/openai/chat.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { GENERATION_PARAMETERS, STAMP_HEADERS } from "../../src/http/documented-headers.ts";
import { GENERATION_ERRORS, openAiErrors } from "../../src/http/error-responses.ts";
import { dispatchCall, readCall } from "../../src/http/inbound.ts";
import { toOpenAiAnswer } from "../../src/http/openai/answer.ts";
import { parseChat } from "../../src/http/openai/chat-request.ts";
import { parseContextOf } from "../../src/http/openai/parse-context.ts";

const STREAM_EXAMPLE =
  'data: {"id":"chatcmpl-6f1c","object":"chat.completion.chunk","created":1795401568,"model":"tide-nano","choices":[{"index":0,"delta":{"content":"42"},"logprobs":null,"finish_reason":null,"token_ids":null}]}\n\ndata: [DONE]\n\n';

export const createChatCompletion = defineRoute({
  route: createRoute({
    method: "post",
    path: "/v1/chat/completions",
    operationId: "createChatCompletion",
    tags: ["OpenAI"],
    summary: "Answer a conversation",
    description:
      "OpenAI's chat with vLLM's additions. A replica that speaks this dialect gets the request byte for byte and its answer comes back untouched.",
    parameters: [...GENERATION_PARAMETERS],
    request: { body: { required: true, content: { "application/json": { schema: ChatCompletionRequest } } } },
    responses: {
      200: {
        description: "The answer; with `stream: true` as server-sent events that end in `data: [DONE]`.",
        headers: STAMP_HEADERS,
        content: {
          "application/json": { schema: ChatCompletionResponse },
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
    const { outcome, parsed } = await dispatchCall(c, call, (body, bytes) => parseChat(body, parseContextOf(c), bytes));
    return asIs(await toOpenAiAnswer(c, "chat", outcome, parsed));
  },
});
