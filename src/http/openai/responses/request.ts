/** A body of `/v1/responses` → the neutral request, and what the answer says of its request. */
import type { GenerateRequest } from "../../../contract/generation.ts";
import { ResponseOptions } from "../../../contract/openai/responses.ts";
import type { StructuredOutputs } from "../../../contract/sampling.ts";
import { GatewayError, invalidValue } from "../../../errors.ts";
import { checkTokenBudget } from "../../limits.ts";
import { validate } from "../../validation.ts";
import { toChatPrompt } from "../chat-prompt.ts";
import { checkOutputLogprobs } from "../check-logprobs.ts";
import type { ParseContext } from "../render-options.ts";
import { toCacheSalt } from "../to-cache-salt.ts";
import { toMessages } from "../to-messages.ts";
import { toSampling } from "../to-sampling.ts";
import { toStructuredOutputs } from "../to-structured.ts";
import { refuseUnsupported } from "../unsupported.ts";
import { toInputMessages } from "./input.ts";
import { includesLogprobs, refuseUnsupportedResponse } from "./unsupported.ts";

export interface ParsedResponse {
  readonly request: GenerateRequest;
  readonly id: string;
  readonly created: number;
  readonly stream: boolean;
  /** Candidates per token; undefined = no logprobs. */
  readonly logprobs: number | undefined;
  /** What the answer gives back of its request. */
  readonly echoed: Readonly<Record<string, unknown>>;
}

/** `text.format` holds the text to a schema as `response_format` does; beside `structured_outputs` it is a contradiction. */
function toConstraint(options: ResponseOptions): StructuredOutputs | undefined {
  const format = options.text?.format;
  if (format === undefined || format === null) return toStructuredOutputs(options, "chat");
  if (options.structured_outputs !== undefined && options.structured_outputs !== null) {
    throw new GatewayError("invalid_value", "Cannot specify both structured_outputs and text.format", {
      param: "structured_outputs",
    });
  }
  if (format.type !== "json_schema") return toStructuredOutputs({ response_format: { type: format.type } }, "chat");
  if (format.schema === undefined || format.schema === null) {
    throw invalidValue("text.format.schema", format.schema, "a JSON schema");
  }
  const made = toStructuredOutputs(
    { response_format: { type: "json_schema", json_schema: { name: format.type, schema: format.schema } } },
    "chat",
  );
  return made === undefined ? undefined : { ...made, param: "text.format" };
}

const orNull = <T>(value: T | null | undefined): T | null => value ?? null;

function toEchoed(options: ResponseOptions): Record<string, unknown> {
  return {
    background: false,
    instructions: orNull(options.instructions),
    max_output_tokens: orNull(options.max_output_tokens),
    max_tool_calls: null,
    metadata: options.metadata ?? {},
    parallel_tool_calls: true,
    previous_response_id: null,
    prompt: null,
    reasoning: { effort: orNull(options.reasoning?.effort), summary: null },
    service_tier: "default",
    store: false,
    temperature: orNull(options.temperature),
    top_p: orNull(options.top_p),
    presence_penalty: orNull(options.presence_penalty),
    frequency_penalty: orNull(options.frequency_penalty),
    text: { format: options.text?.format ?? { type: "text" } },
    tool_choice: "none",
    tools: [],
    top_logprobs: orNull(options.top_logprobs),
    truncation: options.truncation ?? "disabled",
    user: orNull(options.user),
  };
}

/** Throws GatewayError: types and ranges, features, input, combinations. */
export function parseResponse(body: Record<string, unknown>, context: ParseContext): ParsedResponse {
  const options = validate(ResponseOptions, body);
  refuseUnsupportedResponse(body);
  refuseUnsupported(body);
  const { messages, continued } = toInputMessages(options);
  toMessages(messages, "input");
  const prompt = toChatPrompt(
    {
      messages,
      chat_template_kwargs: options.chat_template_kwargs,
      reasoning_effort: options.reasoning?.effort,
      add_generation_prompt: !continued,
      continue_final_message: continued,
    },
    context,
    undefined,
  );
  const wanted = includesLogprobs(options.include);
  const top = options.top_logprobs ?? 0;
  if (top !== 0 && !wanted) {
    throw invalidValue("top_logprobs", top, 'left out unless include has "message.output_text.logprobs"');
  }
  const shown = checkOutputLogprobs(wanted ? top : undefined, "top_logprobs", context.maxLogprobs);
  const maxTokens = options.max_output_tokens ?? undefined;
  checkTokenBudget({ prompts: 1, samples: 1, maxTokens: maxTokens ?? 1 }, context);
  const sampling = toSampling(options, {
    maxTokens,
    maxTokensField: "max_output_tokens",
    logprobs: wanted ? top : undefined,
    structuredOutputs: toConstraint(options),
  });
  return {
    request: {
      requestId: context.requestId,
      prompts: [prompt],
      sampling,
      echo: false,
      ...(options.truncation === "auto" ? { truncate: { tokens: -1 } } : {}),
      ...toCacheSalt(options),
    },
    id: options.request_id ?? `resp_${context.requestId}`,
    created: context.created,
    stream: options.stream === true,
    logprobs: shown,
    echoed: toEchoed(options),
  };
}
