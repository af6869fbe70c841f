/** A neutral request as the body of vLLM's POST /v1/completions. Pure, but for prompts that need the tokenizer first. */
import type { GenerateRequest, Prompt } from "../../contract/generation.ts";
import type { SamplingParams } from "../../contract/sampling.ts";

/** The constraint in vLLM's spelling. */
function toStructuredFields({ structuredOutputs }: SamplingParams): Record<string, unknown> | undefined {
  if (structuredOutputs === undefined) return undefined;
  const { constraint, disableAnyWhitespace, whitespacePattern } = structuredOutputs;
  const own: Record<string, unknown> = {
    json: constraint.kind === "json" ? constraint.schema : undefined,
    json_object: constraint.kind === "json_object" ? true : undefined,
    regex: constraint.kind === "regex" ? constraint.pattern : undefined,
    choice: constraint.kind === "choice" ? constraint.choices : undefined,
    grammar: constraint.kind === "grammar" ? constraint.grammar : undefined,
    structural_tag: constraint.kind === "structural_tag" ? constraint.tag : undefined,
    disable_any_whitespace: disableAnyWhitespace,
    whitespace_pattern: whitespacePattern,
  };
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
}

/** Sampling parameters in vLLM's spelling. What the caller left out is left out: the server has its own defaults. */
export function toSamplingFields(sampling: SamplingParams): Record<string, unknown> {
  const fields: Record<string, unknown> = {
    n: sampling.n,
    max_tokens: sampling.maxTokens,
    min_tokens: sampling.minTokens,
    temperature: sampling.temperature,
    top_p: sampling.topP,
    top_k: sampling.topK,
    min_p: sampling.minP,
    repetition_penalty: sampling.repetitionPenalty,
    presence_penalty: sampling.presencePenalty,
    frequency_penalty: sampling.frequencyPenalty,
    seed: sampling.seed,
    stop: sampling.stop,
    stop_token_ids: sampling.stopTokenIds,
    include_stop_str_in_output: sampling.includeStopStrInOutput,
    ignore_eos: sampling.ignoreEos,
    skip_special_tokens: sampling.skipSpecialTokens,
    logprobs: sampling.logprobs,
    prompt_logprobs: sampling.promptLogprobs,
    logit_bias: sampling.logitBias,
    allowed_token_ids: sampling.allowedTokenIds,
    bad_words: sampling.badWords,
    structured_outputs: toStructuredFields(sampling),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** All prompts as texts, when they are and want the same special tokens; else undefined: they must go as ids. */
export function asTexts(
  prompts: readonly Prompt[],
): { readonly texts: readonly string[]; readonly addSpecialTokens: boolean } | undefined {
  const texts: string[] = [];
  let addSpecialTokens: boolean | undefined;
  for (const prompt of prompts) {
    if (prompt.kind !== "text") return undefined;
    if (addSpecialTokens !== undefined && addSpecialTokens !== prompt.addSpecialTokens) return undefined;
    addSpecialTokens = prompt.addSpecialTokens;
    texts.push(prompt.text);
  }
  return { texts, addSpecialTokens: addSpecialTokens ?? true };
}

/** True when the answer can come as a stream: vLLM 0.32 refuses `prompt_logprobs` there. */
export const canStream = (request: GenerateRequest): boolean => request.sampling.promptLogprobs === undefined;

/**
 * The whole body. `prompt` is texts or id lists; `maxModelLen` stands in for "up to the context end", which vLLM cuts
 * to the room there is (its own default of 16 tokens is for people at a prompt).
 */
export function toCompletionsBody(
  request: GenerateRequest,
  prompt: readonly string[] | readonly (readonly number[])[],
  options: { readonly addSpecialTokens: boolean; readonly maxModelLen: number },
): Record<string, unknown> {
  const { sampling } = request;
  return {
    prompt,
    max_tokens: options.maxModelLen,
    ...toSamplingFields(sampling),
    // "No token, only the prompt back" is one token that the caller does not show: vLLM refuses 0.
    ...(sampling.maxTokens === 0 ? { max_tokens: 1 } : {}),
    add_special_tokens: options.addSpecialTokens,
    ...(request.truncate === undefined ? {} : { truncate_prompt_tokens: request.truncate.tokens }),
    ...(request.truncate?.side === undefined ? {} : { truncation_side: request.truncate.side }),
    ...(request.cacheSalt === undefined ? {} : { cache_salt: request.cacheSalt }),
    stream: canStream(request),
    return_token_ids: true,
    // Texts as keys collide where two tokens read the same; ids do not.
    ...(sampling.logprobs === undefined ? {} : { return_tokens_as_token_ids: true }),
  };
}
