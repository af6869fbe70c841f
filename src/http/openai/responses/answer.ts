/** One outcome of `/v1/responses` → its HTTP answer: forwarded bytes, a JSON body or a stream. */
import type { Context } from "hono";
import type { Outcome } from "../../../gateway-types.ts";
import { collectAnswer } from "../../collect.ts";
import type { AppEnv } from "../../env.ts";
import { parsedOf } from "../../inbound.ts";
import { sseResponse } from "../../sse.ts";
import { stampHeaders, toForwardedResponse } from "../../stamp.ts";
import { countUsage } from "../render-completion.ts";
import { toItem, toItemStatus, toResponse, toTextLogprobs, toTextPart } from "./render.ts";
import type { ParsedResponse } from "./request.ts";
import { toResponseStream } from "./stream.ts";

/** Forwarded answers keep their bytes. */
export async function toResponsesAnswer(
  c: Context<AppEnv>,
  outcome: Outcome,
  given: ParsedResponse | undefined,
): Promise<Response> {
  if (outcome.kind === "forwarded") return toForwardedResponse(outcome.response, outcome.stamp, outcome.span);
  const parsed = parsedOf(given);
  const { events, stamp } = outcome;
  const { gateway, requestId } = c.var;
  const itemId = `msg_${gateway.ports.random.uuid().replaceAll("-", "")}`;
  const headers = new Headers();
  if (parsed.stream) {
    stampHeaders(headers, stamp);
    const onError = (error: { code: string; message: string; cause?: unknown }): void =>
      gateway.log.warn("stream failed after its head", {
        request_id: requestId,
        code: error.code,
        reason: error.message,
        cause: error.cause,
      });
    return sseResponse(toResponseStream({ events, stamp, parsed, itemId, onError }), headers);
  }
  const answer = await collectAnswer(events, { prompts: 1, samples: 1 }, stamp);
  const { text = "", logprobs = [], reason = "abort" } = answer.samples[0] ?? {};
  const item = toItem(itemId, toItemStatus(reason), [toTextPart(text, toTextLogprobs(parsed, logprobs))]);
  const body = toResponse(parsed, stamp, { item, reason, usage: countUsage(answer), span: answer.span });
  stampHeaders(headers, stamp, answer.span);
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify(body), { status: 200, headers });
}
