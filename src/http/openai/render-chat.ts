/** A complete (not streamed) chat answer, field for field as vLLM 0.32 writes it, plus the weight stamp. */
import type { Stamp } from "../../gateway-types.ts";
import type { CollectedAnswer, CollectedSample } from "../collect.ts";
import { toOrderedJson } from "../ordered-json.ts";
import { toFingerprint, toUsage, toWeightFields } from "./answer-fields.ts";
import { toChatLogprobs, toPromptLogprobs } from "./logprobs.ts";
import { countUsage } from "./render-completion.ts";
import type { RenderOptions } from "./render-options.ts";
import { toCallMessage } from "./tool-calls/collect.ts";
import type { RandomParts } from "./tool-calls/types.ts";

/** The answer's JSON text. */
export function renderChat(answer: CollectedAnswer, options: RenderOptions, stamp: Stamp, random: RandomParts): string {
  const prompt = answer.prompts[0];
  const { toolPlan } = options;
  const read = ({ text, reason }: CollectedSample): ReturnType<typeof toCallMessage> =>
    toolPlan === undefined ? { content: text, calls: [], reason } : toCallMessage(toolPlan, random, text, reason);
  const choices = answer.samples.map((sample, index) => {
    const { content, calls, reason } = read(sample);
    return {
      index,
      message: {
        role: options.role,
        content,
        refusal: null,
        annotations: null,
        audio: null,
        function_call: null,
        ...(calls.length === 0 ? {} : { tool_calls: calls }),
        reasoning: null,
      },
      logprobs:
        options.logprobs === undefined
          ? null
          : toChatLogprobs(sample.logprobs, { top: options.logprobs, asIds: options.tokensAsIds }),
      finish_reason: reason,
      stop_reason: sample.stopReason,
      token_ids: options.tokenIds ? sample.tokenIds : null,
      routed_experts: null,
    };
  });
  return toOrderedJson({
    id: options.id,
    object: "chat.completion",
    created: options.created,
    model: stamp.model,
    choices,
    service_tier: null,
    system_fingerprint: toFingerprint(stamp),
    usage: toUsage(countUsage(answer)),
    prompt_logprobs: options.promptLogprobs ? toPromptLogprobs(prompt?.logprobs ?? []) : null,
    prompt_token_ids: options.tokenIds ? (prompt?.tokenIds ?? []) : null,
    prompt_text: null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: null,
    ...toWeightFields(stamp, answer.span),
  });
}
