/** A complete (not streamed) completion answer, field for field as vLLM 0.32 writes it, plus the weight stamp. */
import type { Stamp } from "../../gateway-types.ts";
import type { CollectedAnswer, CollectedSample, PromptEvent } from "../collect.ts";
import { toOrderedJson } from "../ordered-json.ts";
import { toFingerprint, toUsage, toWeightFields, type UsageCounts } from "./answer-fields.ts";
import { type Detokenize, type Echo, toEcho } from "./echo.ts";
import { toCompletionLogprobs, toPromptLogprobs } from "./logprobs.ts";
import type { RenderOptions } from "./render-options.ts";

/** Tokens of the whole answer: each prompt once, each sample's output. */
export function countUsage(answer: CollectedAnswer): UsageCounts {
  let prompt = 0;
  let cached = 0;
  let completion = 0;
  for (const one of answer.prompts) {
    prompt += one.tokenIds.length;
    cached += one.cachedTokens;
  }
  for (const sample of answer.samples) completion += sample.tokenIds.length;
  return { prompt, completion, cached };
}

function toChoice(
  index: number,
  sample: CollectedSample,
  prompt: PromptEvent,
  echo: Echo | undefined,
  options: RenderOptions,
): Record<string, unknown> {
  const shown = options.hideOutput ? [] : sample.logprobs;
  const logprobs =
    options.logprobs === undefined
      ? null
      : toCompletionLogprobs([...(echo?.positions ?? []), ...shown], {
          top: options.logprobs,
          asIds: options.tokensAsIds,
          offset: 0,
        }).logprobs;
  return {
    index,
    text: `${echo?.text ?? ""}${options.hideOutput ? "" : sample.text}`,
    logprobs,
    finish_reason: sample.reason,
    stop_reason: sample.stopReason,
    token_ids: options.tokenIds ? sample.tokenIds : null,
    prompt_logprobs: options.promptLogprobs ? toPromptLogprobs(prompt.logprobs ?? []) : null,
    prompt_token_ids: options.tokenIds ? prompt.tokenIds : null,
    routed_experts: null,
  };
}

/** The answer's JSON text. */
export async function renderCompletion(
  answer: CollectedAnswer,
  options: RenderOptions,
  stamp: Stamp,
  detokenize: Detokenize,
): Promise<string> {
  const echoes = options.echo
    ? await Promise.all(answer.prompts.map((prompt) => toEcho(prompt, detokenize, options)))
    : [];
  const choices = answer.samples.map((sample, index) => {
    const at = Math.floor(index / options.samples);
    return toChoice(index, sample, answer.prompts[at] as PromptEvent, echoes[at], options);
  });
  return toOrderedJson({
    id: options.id,
    object: "text_completion",
    created: options.created,
    model: stamp.model,
    choices,
    service_tier: null,
    system_fingerprint: toFingerprint(stamp),
    usage: toUsage(countUsage(answer)),
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: null,
    ...toWeightFields(stamp, answer.span),
  });
}
