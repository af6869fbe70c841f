/** A chat request's body → the neutral request and what rendering the answer needs. */
import type { GenerateRequest } from "../../contract/generation.ts";
import { ChatOptions } from "../../contract/openai/chat.ts";
import { GatewayError, invalidValue, showValue } from "../../errors.ts";
import { checkTokenBudget } from "../limits.ts";
import { validate } from "../validation.ts";
import { toChatPrompt } from "./chat-prompt.ts";
import type { ParseContext, RenderOptions } from "./render-options.ts";
import { toSampling } from "./to-sampling.ts";
import { toStructuredOutputs } from "./to-structured.ts";
import { toTruncation } from "./to-truncation.ts";
import { refuseUnsupported } from "./unsupported.ts";

export interface ParsedChat extends RenderOptions {
  readonly request: GenerateRequest;
}

/** Tools may be shown to the template; parsing calls out of the answer is what is not there. */
function checkTools(options: ChatOptions): void {
  const { tools, tool_choice: choice } = options;
  if (tools === undefined || tools === null) return;
  if (tools.length === 0) throw invalidValue("tools", tools, "left out or a list of at least one tool");
  if (choice === "none") return;
  throw new GatewayError(
    "unsupported",
    `tool_choice ${showValue(choice ?? "auto")} is not supported on embedded replicas yet: answers are not parsed for tool calls. Send tool_choice "none".`,
    { param: "tool_choice" },
  );
}

/** `bytes`: the body as it was sent, for the numbers in it. Throws GatewayError: types and ranges, features, messages, combinations. */
export function parseChat(body: Record<string, unknown>, context: ParseContext, bytes?: Uint8Array): ParsedChat {
  const options = validate(ChatOptions, body);
  refuseUnsupported(body);
  if (body.echo === true) throw new GatewayError("unsupported", "echo is not supported for chat.", { param: "echo" });
  checkTools(options);
  const prompt = toChatPrompt(options, context, bytes);
  const wanted = options.logprobs === true;
  const top = options.top_logprobs ?? 0;
  if (top > 0 && !wanted) throw invalidValue("top_logprobs", top, "left out unless logprobs is true");
  const maxTokens = options.max_completion_tokens ?? options.max_tokens ?? undefined;
  const samples = options.n ?? 1;
  checkTokenBudget({ prompts: 1, samples, maxTokens: maxTokens ?? 1 }, context);
  const truncate = toTruncation(options);
  const structuredOutputs = toStructuredOutputs(options, "chat");
  const sampling = toSampling(options, { maxTokens, logprobs: wanted ? top : undefined, structuredOutputs });
  return {
    request: {
      requestId: context.requestId,
      prompts: [prompt],
      sampling,
      echo: false,
      ...(truncate === undefined ? {} : { truncate }),
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
    logprobs: sampling.logprobs,
    promptLogprobs: sampling.promptLogprobs !== undefined,
    echo: false,
    hideOutput: false,
    role: prompt.addGenerationPrompt ? "assistant" : (prompt.messages.at(-1)?.role ?? "assistant"),
  };
}
