/** `POST /v1/completions` as vLLM 0.32 has it, plus the weight stamp. */
import { z } from "zod";
import {
  FinishReason,
  PromptLogprobs,
  SamplingFields,
  TruncationFields,
  Usage,
  WeightDigestField,
  WeightVersionField,
} from "./sampling.ts";

/** Everything but the prompt, which is read by hand: a union over 16 K token ids would be checked four times. */
export const CompletionOptions = z.object({
  ...SamplingFields,
  max_tokens: z.number().int().min(0).nullish().meta({ description: "Default 16; 0 only together with `echo`." }),
  logprobs: z.number().int().min(-1).nullish().meta({
    description: "Candidates per token, up to --max-logprobs (default 20); 0 = the sampled one only, -1 = all.",
  }),
  echo: z.boolean().nullish(),
  suffix: z.string().nullish().meta({ description: "Not supported." }),
  add_special_tokens: z.boolean().nullish().meta({ description: "Default true." }),
  ...TruncationFields,
});
export type CompletionOptions = z.infer<typeof CompletionOptions>;

const tokenIds = z.array(z.number().int().min(0));

export const CompletionRequest = z
  .looseObject({
    prompt: z
      .union([z.string(), z.array(z.string()), tokenIds, z.array(tokenIds)])
      .meta({ description: "A text, texts, token ids, or a list of token id lists." }),
    ...CompletionOptions.shape,
  })
  .meta({
    id: "CompletionRequest",
    example: { model: "tide-nano", prompt: "What is 17 + 25?", max_tokens: 16, temperature: 0 },
  });

export const CompletionLogprobs = z
  .object({
    text_offset: z.array(z.number().int()),
    token_logprobs: z.array(z.number().nullable()),
    tokens: z.array(z.string()),
    top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  })
  .meta({ id: "CompletionLogprobs" });

export const CompletionChoice = z
  .object({
    index: z.number().int().meta({ description: "prompt × n + sample" }),
    text: z.string(),
    logprobs: CompletionLogprobs.nullable(),
    finish_reason: FinishReason.nullable(),
    stop_reason: z.union([z.string(), z.number().int()]).nullable(),
    token_ids: z.array(z.number().int()).nullable(),
    prompt_logprobs: PromptLogprobs.nullable(),
    prompt_token_ids: z.array(z.number().int()).nullable(),
    routed_experts: z.null(),
  })
  .meta({ id: "CompletionChoice" });

export const CompletionResponse = z
  .looseObject({
    id: z.string(),
    object: z.literal("text_completion"),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(CompletionChoice),
    service_tier: z.null(),
    system_fingerprint: z.string().nullable(),
    usage: Usage,
    weight_version: WeightVersionField.optional(),
    weight_digest: WeightDigestField.optional(),
  })
  .meta({
    id: "CompletionResponse",
    example: {
      id: "cmpl-6f1c",
      object: "text_completion",
      created: 1_795_401_568,
      model: "tide-nano",
      choices: [
        {
          index: 0,
          text: " 42",
          logprobs: null,
          finish_reason: "stop",
          stop_reason: null,
          token_ids: null,
          prompt_logprobs: null,
          prompt_token_ids: null,
          routed_experts: null,
        },
      ],
      service_tier: null,
      system_fingerprint: "tidegate-0f0f0f0f",
      usage: {
        prompt_tokens: 9,
        total_tokens: 11,
        completion_tokens: 2,
        prompt_tokens_details: null,
        completion_tokens_details: null,
      },
      weight_version: 1,
      weight_digest: `sha256:${"0f".repeat(32)}`,
    },
  });
