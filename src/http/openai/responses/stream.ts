/**
 * The events of a streamed response, in the order of vLLM 0.32: created, in_progress, the item and its part, deltas,
 * everything again as done, completed. Each says its name twice, as OpenAI's clients read it, and its number.
 */
import type { FinishReason, GenerateEvent, PositionLogprobs } from "../../../contract/generation.ts";
import { type GatewayError, toGatewayError } from "../../../errors.ts";
import type { Stamp } from "../../../gateway-types.ts";
import type { VersionSpan } from "../../stamp.ts";
import { type Item, toItem, toItemStatus, toResponse, toTextLogprobs, toTextPart } from "./render.ts";
import type { ParsedResponse } from "./request.ts";

export interface ResponseSource {
  readonly events: AsyncIterable<GenerateEvent>;
  readonly stamp: Stamp;
  readonly parsed: ParsedResponse;
  /** Of the one message. */
  readonly itemId: string;
  /** Told of what went wrong after the head. */
  readonly onError: (error: GatewayError) => void;
}

/** Yields whole server-sent events; the iterator's `return()` frees the replica. Never throws. */
export async function* toResponseStream(source: ResponseSource): AsyncGenerator<string> {
  const { stamp, parsed, itemId } = source;
  let sequence = 0;
  const event = (type: string, fields: Item): string => {
    const data = JSON.stringify({ type, sequence_number: sequence, ...fields });
    sequence += 1;
    return `event: ${type}\ndata: ${data}\n\n`;
  };
  const place = { item_id: itemId, output_index: 0, content_index: 0 };
  let text = "";
  const positions: PositionLogprobs[] = [];
  const usage = { prompt: 0, completion: 0, cached: 0 };
  let reason: FinishReason = "abort";
  let span: VersionSpan = { first: stamp.weightVersion, last: stamp.weightVersion };
  try {
    yield event("response.created", { response: toResponse(parsed, stamp) });
    yield event("response.in_progress", { response: toResponse(parsed, stamp) });
    yield event("response.output_item.added", { output_index: 0, item: toItem(itemId, "in_progress", []) });
    yield event("response.content_part.added", { ...place, part: toTextPart("", []) });
    for await (const made of source.events) {
      if (made.type === "prompt") {
        usage.prompt = made.tokenIds.length;
        usage.cached = made.cachedTokens;
      } else if (made.type === "delta") {
        usage.completion += made.tokenIds.length;
        const logprobs = made.logprobs ?? [];
        for (const position of logprobs) positions.push(position);
        text += made.text;
        if (made.text === "" && parsed.logprobs === undefined) continue;
        yield event("response.output_text.delta", {
          ...place,
          delta: made.text,
          logprobs: toTextLogprobs(parsed, logprobs),
        });
      } else if (made.type === "finish") reason = made.reason;
      else if (made.type === "end") span = { first: made.firstVersion, last: made.lastVersion };
    }
    const logprobs = toTextLogprobs(parsed, positions);
    const part = toTextPart(text, logprobs);
    const item = toItem(itemId, toItemStatus(reason), [part]);
    yield event("response.output_text.done", { ...place, text, logprobs });
    yield event("response.content_part.done", { ...place, part });
    yield event("response.output_item.done", { output_index: 0, item });
    // Also of one that was cut, as in vLLM: its status says so, and OpenAI's Python client waits for this very name.
    yield event("response.completed", { response: toResponse(parsed, stamp, { item, reason, usage, span }) });
  } catch (thrown) {
    const error = toGatewayError(thrown);
    source.onError(error);
    yield event("error", { code: error.code, message: error.message, param: error.details.param ?? null });
  }
}
