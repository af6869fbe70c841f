/** OpenAI sampling fields → neutral SamplingParams. Leaves out what the caller did not name: defaults are the engine's. */
import type { CompletionOptions } from "../../contract/openai/completions.ts";
import type { SamplingParams, StructuredOutputs } from "../../contract/sampling.ts";
import { GatewayError, invalidValue } from "../../errors.ts";

/** The fields that completions and chat share. */
export type SharedFields = Omit<
  CompletionOptions,
  "max_tokens" | "logprobs" | "echo" | "add_special_tokens" | "truncate_prompt_tokens" | "truncation_side"
>;

/** null and undefined both mean "not named". */
const named = <T>(value: T | null | undefined): T | undefined => value ?? undefined;

/** Token ids as Python's `int()` reads them; vLLM's refusal of others. */
function toLogitBias(bias: Readonly<Record<string, number>> | undefined): Readonly<Record<string, number>> | undefined {
  if (bias === undefined) return undefined;
  const out: Record<string, number> = {};
  const invalid: string[] = [];
  for (const [key, value] of Object.entries(bias)) {
    if (/^\s*[+-]?\d+\s*$/.test(key)) out[String(Number(key))] = value;
    else invalid.push(key);
  }
  if (invalid.length === 0) return out;
  const shown = `[${invalid
    .slice(0, 10)
    .map((key) => `'${key}'`)
    .join(", ")}]`;
  throw new GatewayError(
    "invalid_value",
    `logit_bias contains key(s) that cannot be converted to integer token IDs: ${shown} (parameter=logit_bias, value=${shown})`,
    { param: "logit_bias" },
  );
}

/**
 * Converts and checks what a schema alone cannot: several greedy samples would all be the same, and vLLM refuses them.
 * Throws GatewayError `invalid_value`.
 */
export function toSampling(
  fields: SharedFields,
  own: {
    readonly maxTokens: number | undefined;
    readonly logprobs: number | undefined;
    /** The caller's name of `maxTokens`, where more than the context is an error. */
    readonly maxTokensField?: string;
    readonly structuredOutputs?: StructuredOutputs | undefined;
  },
): SamplingParams {
  if (fields.temperature === 0 && (fields.n ?? 1) > 1) {
    throw invalidValue("n", fields.n, "1 when using greedy sampling (temperature 0)");
  }
  if (fields.prompt_logprobs !== undefined && fields.prompt_logprobs !== null && fields.stream === true) {
    throw invalidValue("prompt_logprobs", fields.prompt_logprobs, "left out when stream is true");
  }
  const stop = typeof fields.stop === "string" ? [fields.stop] : fields.stop;
  return {
    n: named(fields.n),
    maxTokens: own.maxTokens,
    ...(own.maxTokensField === undefined ? {} : { maxTokensField: own.maxTokensField }),
    minTokens: named(fields.min_tokens),
    temperature: named(fields.temperature),
    topP: named(fields.top_p),
    topK: named(fields.top_k),
    minP: named(fields.min_p),
    repetitionPenalty: named(fields.repetition_penalty),
    presencePenalty: named(fields.presence_penalty),
    frequencyPenalty: named(fields.frequency_penalty),
    seed: named(fields.seed),
    stop: named(stop),
    stopTokenIds: named(fields.stop_token_ids),
    includeStopStrInOutput: named(fields.include_stop_str_in_output),
    ignoreEos: named(fields.ignore_eos),
    skipSpecialTokens: named(fields.skip_special_tokens),
    logprobs: own.logprobs,
    promptLogprobs: named(fields.prompt_logprobs),
    logitBias: toLogitBias(named(fields.logit_bias)),
    allowedTokenIds: named(fields.allowed_token_ids),
    badWords: named(fields.bad_words),
    structuredOutputs: own.structuredOutputs,
  };
}
