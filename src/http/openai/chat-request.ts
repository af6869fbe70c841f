/** A chat request's body → the neutral request and what rendering the answer needs. */
import type { GenerateRequest } from "../../contract/generation.ts";
import { ChatOptions } from "../../contract/openai/chat.ts";
import { GatewayError, invalidValue } from "../../errors.ts";
import { checkTokenBudget } from "../limits.ts";
import { validate } from "../validation.ts";
import { toChatPrompt } from "./chat-prompt.ts";
import { checkOutputLogprobs } from "./check-logprobs.ts";
import { checkEarly } from "./early-checks.ts";
import type { ParseContext, RenderOptions } from "./render-options.ts";
import { toCacheSalt } from "./to-cache-salt.ts";
import { toSampling } from "./to-sampling.ts";
import { toStructuredOutputs } from "./to-structured.ts";
import { toFunctions, toToolSchemas } from "./to-tools.ts";
import { toTruncation } from "./to-truncation.ts";
import { toToolPlan } from "./tool-calls/plan.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface ParsedChat extends RenderOptions {
  readonly request: GenerateRequest;
}

function checkTools({ tools }: ChatOptions): void {
  if (tools?.length !== 0) return;
  throw new GatewayError(
    "invalid_value",
    "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely. (parameter=tools)",
    { param: "tools" },
  );
}

/** `bytes`: the body as it was sent, for the numbers in it. Throws GatewayError: types and ranges, features, messages, combinations. */
export function parseChat(body: Record<string, unknown>, context: ParseContext, bytes?: Uint8Array): ParsedChat {
  checkEarly(body, ["top_logprobs"]);
  const options = validate(ChatOptions, body);
  refuseUnsupported({ ...body, ...options });
  if (options.echo === true)
    throw new GatewayError("unsupported", "echo is not supported for chat.", { param: "echo" });
  checkTools(options);
  const prompt = toChatPrompt(options, context, bytes);
  const wanted = options.logprobs === true;
  const top = options.top_logprobs ?? 0;
  if (top !== 0 && !wanted) throw invalidValue("top_logprobs", top, "left out unless logprobs is true");
  const shownLogprobs = checkOutputLogprobs(wanted ? top : undefined, "top_logprobs", context.maxLogprobs);
  const maxTokens = options.max_completion_tokens ?? options.max_tokens ?? undefined;
  const samples = options.n ?? 1;
  checkTokenBudget({ prompts: 1, samples, maxTokens: maxTokens ?? 1 }, context);
  const truncate = toTruncation(options);
  const { plan, structuredOutputs } = toToolPlan(
    { ...options, tools: toFunctions(toToolSchemas(options.tools)) },
    context.tools ?? {},
    toStructuredOutputs(options, "chat"),
  );
  // Some models mark the tags around calls as special: they are text here, as in vLLM.
  const fields = plan === undefined ? options : { ...options, skip_special_tokens: false };
  const maxTokensField = (options.max_completion_tokens ?? null) === null ? "max_tokens" : "max_completion_tokens";
  const sampling = toSampling(fields, {
    maxTokens,
    maxTokensField,
    logprobs: wanted ? top : undefined,
    structuredOutputs,
  });
  return {
    request: {
      requestId: context.requestId,
      prompts: [prompt],
      sampling,
      echo: false,
      ...(truncate === undefined ? {} : { truncate }),
      ...toCacheSalt(options),
    },
    id: `chatcmpl-${options.request_id ?? context.requestId}`,
    created: context.created,
    prompts: 1,
    samples,
    stream: options.stream === true,
    includeUsage: options.stream_options?.include_usage === true,
    continuousUsage: options.stream_options?.continuous_usage_stats === true,
    tokenIds: options.return_token_ids ?? context.tokenIds === true,
    tokensAsIds: options.return_tokens_as_token_ids === true,
    logprobs: shownLogprobs,
    promptLogprobs: sampling.promptLogprobs !== undefined,
    echo: false,
    hideOutput: false,
    ...(plan === undefined ? {} : { toolPlan: plan }),
    role: prompt.addGenerationPrompt ? "assistant" : (prompt.messages.at(-1)?.role ?? "assistant"),
  };
}
