/** `POST /v1/completions`. The body is forwarded unread where the replica speaks OpenAI, understood only where not. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { CompletionRequest, CompletionResponse } from "../../src/contract/openai/completions.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { GENERATION_PARAMETERS, STAMP_HEADERS } from "../../src/http/documented-headers.ts";
import { GENERATION_ERRORS, openAiErrors } from "../../src/http/error-responses.ts";
import { createBatchForm, dispatchCall, readCall } from "../../src/http/inbound.ts";
import { toOpenAiAnswer } from "../../src/http/openai/answer.ts";
import { parseCompletion } from "../../src/http/openai/completion-request.ts";
import { parseContextOf } from "../../src/http/openai/parse-context.ts";

const STREAM_EXAMPLE =
  'data: {"id":"cmpl-6f1c","object":"text_completion","created":1795401568,"model":"tide-nano","choices":[{"index":0,"text":" 42","logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}\n\ndata: [DONE]\n\n';

const BATCH = createBatchForm(["prompt"], "completions");

export const createCompletion = defineRoute({
  route: createRoute({
    method: "post",
    path: "/v1/completions",
    operationId: "createCompletion",
    tags: ["OpenAI"],
    summary: "Continue a text or token ids",
    description:
      "OpenAI's completions with vLLM's additions: token-id prompts, `prompt_logprobs`, `return_token_ids` and more. A replica that speaks this dialect gets the request byte for byte and its answer comes back untouched. A list of prompts is shared out over replicas of one weight version and put together in order.",
    parameters: [...GENERATION_PARAMETERS],
    request: {
      body: { required: true, content: { "application/json": { schema: CompletionRequest } } },
    },
    responses: {
      200: {
        description: "The answer; with `stream: true` as server-sent events that end in `data: [DONE]`.",
        headers: STAMP_HEADERS,
        content: {
          "application/json": { schema: CompletionResponse },
          "text/event-stream": { schema: z.string().meta({ example: STREAM_EXAMPLE }) },
        },
      },
      ...openAiErrors(...GENERATION_ERRORS),
    },
  }),
  scope: "generate",
  rawBody: true,
  handler: async (c) => {
    const call = readCall(c, "openai", await c.req.raw.arrayBuffer(), BATCH);
    const { outcome, parsed } = await dispatchCall(c, call, (body) => parseCompletion(body, parseContextOf(c)));
    return asIs(await toOpenAiAnswer(c, "completion", outcome, parsed));
  },
});
