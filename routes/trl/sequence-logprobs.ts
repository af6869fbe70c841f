/** `POST /get_sequence_logprobs/`: a teacher's logprobs of given completions. */
import { createRoute } from "@hono/zod-openapi";
import { SequenceLogprobsRequest, SequenceLogprobsResponse } from "../../src/contract/trl/sequence-logprobs.ts";
import { asIs, defineRoute } from "../../src/http/define-route.ts";
import { GENERATION_PARAMETERS, STAMP_HEADERS } from "../../src/http/documented-headers.ts";
import { GENERATION_ERRORS, trlErrors } from "../../src/http/error-responses.ts";
import { createBatchForm, dispatchCall, readCall } from "../../src/http/inbound.ts";
import { toTrlAnswer, trlJson } from "../../src/http/trl/answer.ts";
import { hasEmptyList } from "../../src/http/trl/empty-list.ts";
import { parseScoring, renderScoring } from "../../src/http/trl/sequence-logprobs.ts";
import { parseJsonObject } from "../../src/http/validation.ts";

// Packed answers of different widths cannot be joined byte for byte: only engines that understand the call share it.
const SEQUENCES = createBatchForm(["sequences", "prompt_lengths"], null);

export const trlSequenceLogprobs = defineRoute({
  route: createRoute({
    method: "post",
    path: "/get_sequence_logprobs/",
    operationId: "trlGetSequenceLogprobs",
    tags: ["TRL"],
    summary: "Score given completions",
    description:
      "For each completion position the best `top_logprobs` tokens and the token that was sent. `binary` packs them as base64 arrays.",
    parameters: [...GENERATION_PARAMETERS],
    request: { body: { required: true, content: { "application/json": { schema: SequenceLogprobsRequest } } } },
    responses: {
      200: {
        description: "Logprobs per sequence and completion position.",
        headers: STAMP_HEADERS,
        content: { "application/json": { schema: SequenceLogprobsResponse } },
      },
      ...trlErrors(...GENERATION_ERRORS),
    },
  }),
  scope: "score",
  rawBody: true,
  handler: async (c) => {
    const call = readCall(c, "trl", await c.req.raw.arrayBuffer(), SEQUENCES);
    const around = { requestId: call.requestId, maxTokensPerRequest: c.var.gateway.config.maxTokensPerRequest };
    if (hasEmptyList(call.body, "sequences")) {
      const parsed = parseScoring(parseJsonObject(call.body), around);
      const span = { first: 0 as never, last: 0 as never };
      return asIs(trlJson(renderScoring({ prompts: [], samples: [], span }, parsed)));
    }
    const { outcome, parsed } = await dispatchCall(c, call, (body) => parseScoring(body, around));
    return asIs(await toTrlAnswer(outcome, parsed, renderScoring));
  },
});
