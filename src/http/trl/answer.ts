/** One outcome → the HTTP answer of the TRL dialect. */
import type { Outcome } from "../../gateway-types.ts";
import { type CollectedAnswer, collectAnswer } from "../collect.ts";
import { parsedOf } from "../inbound.ts";
import { stampHeaders, toForwardedResponse } from "../stamp.ts";

/** A JSON answer, stamped where a replica made it. */
export function trlJson(body: unknown, headers = new Headers()): Response {
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify(body), { status: 200, headers });
}

/** Forwarded answers keep their bytes; generated ones are collected and rendered. */
export async function toTrlAnswer<T extends { readonly prompts: number; readonly samples: number }>(
  outcome: Outcome,
  parsed: T | undefined,
  render: (answer: CollectedAnswer, parsed: T) => unknown,
): Promise<Response> {
  if (outcome.kind === "forwarded") return toForwardedResponse(outcome.response, outcome.stamp, outcome.span);
  const known = parsedOf(parsed);
  const answer = await collectAnswer(outcome.events, known, outcome.stamp);
  const headers = new Headers();
  stampHeaders(headers, outcome.stamp, answer.span);
  return trlJson(render(answer, known), headers);
}
