/** A completion request's body → the neutral request and what rendering the answer needs. */
import type { GenerateRequest } from "../../contract/generation.ts";
import { CompletionOptions } from "../../contract/openai/completions.ts";
import { invalidValue } from "../../errors.ts";
import { checkTokenBudget } from "../limits.ts";
import { validate } from "../validation.ts";
import { checkOutputLogprobs } from "./check-logprobs.ts";
import { checkEarly } from "./early-checks.ts";
import type { ParseContext, RenderOptions } from "./render-options.ts";
import { toCacheSalt } from "./to-cache-salt.ts";
import { toPrompts } from "./to-prompts.ts";
import { toSampling } from "./to-sampling.ts";
import { toStructuredOutputs } from "./to-structured.ts";
import { toTruncation } from "./to-truncation.ts";
import { refuseUnsupported } from "./unsupported.ts";

/** vLLM's and OpenAI's default of completions. */
const DEFAULT_MAX_TOKENS = 16;

export interface ParsedCompletion extends RenderOptions {
  readonly request: GenerateRequest;
}

/** Throws GatewayError in the order in which vLLM would complain: types and ranges, features, prompt, combinations. */
export function parseCompletion(body: Record<string, unknown>, context: ParseContext): ParsedCompletion {
  const { prompt: _prompt, ...rest } = body;
  checkEarly(body, ["logprobs"]);
  const options = validate(CompletionOptions, rest);
  refuseUnsupported({ ...rest, ...options });
  const echo = options.echo === true;
  const prompts = toPrompts(body.prompt, {
    addSpecialTokens: options.add_special_tokens ?? true,
  });
  const maxTokens = options.max_tokens ?? DEFAULT_MAX_TOKENS;
  if (maxTokens === 0 && !echo) throw invalidValue("max_tokens", 0, "at least 1 (0 only together with echo)");
  const logprobs = options.logprobs ?? undefined;
  const shownLogprobs = checkOutputLogprobs(logprobs, "logprobs", context.maxLogprobs);
  const samples = options.n ?? 1;
  checkTokenBudget({ prompts: prompts.length, samples, maxTokens }, context);
  // One token is always made, and with max_tokens 0 counted but not shown: so does vLLM.
  const structuredOutputs = toStructuredOutputs(options, "completion");
  const sampling = toSampling(options, {
    maxTokens: Math.max(maxTokens, 1),
    maxTokensField: "max_tokens",
    logprobs,
    structuredOutputs,
  });
  const truncate = toTruncation(options);
  const promptLogprobs = sampling.promptLogprobs ?? (echo ? logprobs : undefined);
  return {
    // The echo is written here, from the prompt event; an engine that wrote it too would double it.
    request: {
      requestId: context.requestId,
      prompts,
      sampling: { ...sampling, promptLogprobs },
      echo: false,
      ...(truncate === undefined ? {} : { truncate }),
      ...toCacheSalt(options),
    },
    id: `cmpl-${options.request_id ?? context.requestId}`,
    created: context.created,
    prompts: prompts.length,
    samples,
    stream: options.stream === true,
    includeUsage: options.stream_options?.include_usage === true,
    continuousUsage: options.stream_options?.continuous_usage_stats === true,
    tokenIds: options.return_token_ids ?? context.tokenIds === true,
    tokensAsIds: options.return_tokens_as_token_ids === true,
    logprobs: shownLogprobs,
    promptLogprobs: promptLogprobs !== undefined,
    echo,
    hideOutput: maxTokens === 0,
    role: "assistant",
  };
}
