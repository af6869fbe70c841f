/** `POST /generate/` and `POST /chat/` of TRL's server: the 0.16 form and the 0.17 to 1.10 form are one superset. */
import { z } from "zod";
import { ChatRequestMessage, TemplateFields } from "../openai/chat.ts";
import { SAMPLES_LIMIT } from "../openai/sampling.ts";

const Sampling = {
  n: z.number().int().min(1).max(SAMPLES_LIMIT).default(1),
  repetition_penalty: z.number().gt(0).max(2).default(1),
  temperature: z.number().min(0).max(2).default(1),
  top_p: z.number().gt(0).max(1).default(1),
  top_k: z.number().int().min(-1).default(-1).meta({ description: "0 and -1 = off." }),
  min_p: z.number().min(0).max(1).default(0),
  max_tokens: z.number().int().min(1).default(16),
  logprobs: z.number().int().min(0).nullish().meta({
    description:
      "Candidates per token, up to --max-logprobs (default 200); 0 (default) = the sampled one only; null = none.",
  }),
  truncate_prompt_tokens: z.number().int().min(1).nullish().meta({ description: "TRL 0.24 to 0.29." }),
  guided_decoding_regex: z.string().nullish().meta({ description: "The older name of `structured_outputs_regex`." }),
  structured_outputs_regex: z.string().nullish().meta({ description: "Every text matches as a whole." }),
  generation_kwargs: z
    .record(z.string(), z.unknown())
    .nullish()
    .meta({ description: "Sampling fields in vLLM's names; they override the explicit ones." }),
};

export const TrlGenerateOptions = z.object(Sampling);
export type TrlGenerateOptions = z.infer<typeof TrlGenerateOptions>;

const tokenIds = z.array(z.number().int().min(0));

export const TrlGenerateRequest = z
  .looseObject({
    prompts: z
      .union([z.array(z.string()), z.array(tokenIds)])
      .meta({ description: "Texts, or token ids (TRL 1.0 and later). An empty list gives an empty answer." }),
    ...Sampling,
  })
  .meta({
    id: "TrlGenerateRequest",
    example: { prompts: ["What is 17 + 25?"], n: 2, temperature: 1, max_tokens: 16, logprobs: 0 },
  });

export const TrlChatOptions = z.object({
  ...Sampling,
  messages: z.array(z.array(ChatRequestMessage)).meta({ description: "One list of messages per conversation." }),
  tools: z.array(z.looseObject({})).nullish(),
  ...TemplateFields,
});
export type TrlChatOptions = z.infer<typeof TrlChatOptions>;

export const TrlChatRequest = z.looseObject(TrlChatOptions.shape).meta({
  id: "TrlChatRequest",
  example: { messages: [[{ role: "user", content: "What is 17 + 25?" }]], max_tokens: 16 },
});

export const TrlGenerateResponse = z
  .object({
    prompt_ids: z.array(z.array(z.number().int())).meta({ description: "One list per prompt." }),
    completion_ids: z
      .array(z.array(z.number().int()))
      .meta({ description: "Prompt-major: the n completions of a prompt in a row." }),
    logprobs: z
      .union([z.array(z.array(z.array(z.number().nullable()))), z.array(z.array(z.number().nullable()))])
      .nullable()
      .meta({
        description:
          "Per completion and position the candidates by rank. Requests as TRL 0.23 to 0.28 sends them get one number per position.",
      }),
    logprob_token_ids: z.array(z.array(z.array(z.number().int()))).nullable(),
  })
  .meta({
    id: "TrlGenerateResponse",
    example: {
      prompt_ids: [[285, 499]],
      completion_ids: [[163, 493]],
      logprobs: [[[-0.12], [-1.11]]],
      logprob_token_ids: [[[163], [493]]],
    },
  });
