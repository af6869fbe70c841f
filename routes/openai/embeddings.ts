/** `POST /v1/embeddings`. Forwarded unread where the replica speaks OpenAI, understood only where not. */
import { createRoute } from "@hono/zod-openapi";
import { EmbeddingRequest, EmbeddingResponse } from "../../src/contract/openai/embeddings.ts";
import { GatewayError } from "../../src/errors.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { GENERATION_PARAMETERS, STAMP_HEADERS } from "../../src/http/documented-headers.ts";
import { GENERATION_ERRORS, openAiErrors } from "../../src/http/error-responses.ts";
import { dispatchCall, parsedOf, readCall } from "../../src/http/inbound.ts";
import { parseEmbedding } from "../../src/http/openai/embedding-request.ts";
import { parseContextOf } from "../../src/http/openai/parse-context.ts";
import { renderEmbeddings } from "../../src/http/openai/render-embeddings.ts";
import { stampHeaders, toForwardedResponse } from "../../src/http/stamp.ts";

/** What a replica says of a `prompt` is said of this route's `input`. */
function toInputError(error: unknown): unknown {
  if (!(error instanceof GatewayError) || error.details.param !== "prompt") return error;
  return new GatewayError(error.code, error.message, { ...error.details, param: "input" });
}

export const createEmbedding = defineRoute({
  route: createRoute({
    method: "post",
    path: "/v1/embeddings",
    operationId: "createEmbedding",
    tags: ["OpenAI"],
    summary: "Texts or token ids as vectors",
    description:
      "OpenAI's embeddings with vLLM's additions. Embedded replicas give the hidden state of the last token after the final norm (or the mean of all, with `--pooler-config`), scaled to length 1. vLLM servers get the request byte for byte; they answer 404 unless they were started for embeddings.",
    parameters: [...GENERATION_PARAMETERS],
    request: { body: { required: true, content: { "application/json": { schema: EmbeddingRequest } } } },
    responses: {
      200: {
        description: "One vector per input, in order.",
        headers: STAMP_HEADERS,
        content: { "application/json": { schema: EmbeddingResponse } },
      },
      ...openAiErrors(...GENERATION_ERRORS),
    },
  }),
  scope: "generate",
  rawBody: true,
  handler: async (c) => {
    const call = readCall(c, "openai", await c.req.raw.arrayBuffer());
    const { poolerConfig } = c.var.gateway.config;
    const { outcome, parsed } = await dispatchCall(c, call, (body, bytes) =>
      parseEmbedding(body, { ...parseContextOf(c), poolerConfig }, bytes),
    ).catch((error: unknown) => {
      throw toInputError(error);
    });
    if (outcome.kind === "forwarded") return asIs(toForwardedResponse(outcome.response, outcome.stamp));
    const { body, span } = await renderEmbeddings(outcome.events, parsedOf(parsed), outcome.stamp);
    const headers = new Headers({ "content-type": "application/json" });
    stampHeaders(headers, outcome.stamp, span);
    return asIs(new Response(body, { status: 200, headers }));
  },
});
