/** One outcome → the HTTP answer of the OpenAI dialect: forwarded bytes, a JSON body or a stream. */
import type { Context } from "hono";
import type { Outcome } from "../../gateway-types.ts";
import { collectAnswer } from "../collect.ts";
import type { AppEnv } from "../env.ts";
import { parsedOf } from "../inbound.ts";
import { sseResponse } from "../sse.ts";
import { stampHeaders, toForwardedResponse } from "../stamp.ts";
import { createChatChunks } from "./chat-chunks.ts";
import { createCompletionChunks } from "./completion-chunks.ts";
import type { Detokenize } from "./echo.ts";
import { renderChat } from "./render-chat.ts";
import { renderCompletion } from "./render-completion.ts";
import type { RenderOptions } from "./render-options.ts";
import { toOpenAiStream } from "./stream.ts";

export type AnswerKind = "completion" | "chat";

/** Forwarded answers keep their bytes; generated ones are rendered as `kind`. */
export function toOpenAiAnswer(
  c: Context<AppEnv>,
  kind: AnswerKind,
  outcome: Outcome,
  parsed: RenderOptions | undefined,
): Response | Promise<Response> {
  if (outcome.kind === "forwarded") return toForwardedResponse(outcome.response, outcome.stamp, outcome.span);
  return renderGenerated(c, kind, outcome, parsed);
}

async function renderGenerated(
  c: Context<AppEnv>,
  kind: AnswerKind,
  outcome: Extract<Outcome, { kind: "generated" }>,
  parsed: RenderOptions | undefined,
): Promise<Response> {
  const options = parsedOf(parsed);
  const { events, stamp } = outcome;
  const { gateway, signal, requestId } = c.var;
  const detokenize: Detokenize = (ids) => gateway.generation.detokenize(stamp.model, ids, signal);
  const headers = new Headers();
  if (options.stream) {
    stampHeaders(headers, stamp);
    const chat = kind === "chat";
    const source = toOpenAiStream({
      events,
      stamp,
      options,
      object: chat ? "chat.completion.chunk" : "text_completion",
      writer: chat ? createChatChunks(options, gateway.ports.random) : createCompletionChunks(options, detokenize),
      onError: (error) =>
        gateway.log.warn("stream failed after its head", {
          request_id: requestId,
          code: error.code,
          reason: error.message,
          cause: error.cause,
        }),
    });
    return sseResponse(source, headers);
  }
  const answer = await collectAnswer(events, options, stamp);
  const body =
    kind === "chat"
      ? renderChat(answer, options, stamp, gateway.ports.random)
      : await renderCompletion(answer, options, stamp, detokenize);
  stampHeaders(headers, stamp, answer.span);
  headers.set("content-type", "application/json");
  return new Response(body, { status: 200, headers });
}
