/** `POST /get_sequence_logprobs/` (TRL 1.1 to 1.10): a teacher scores given completions. */
import { z } from "zod";

export const SequenceLogprobsOptions = z.object({
  prompt_lengths: z.array(z.number().int().min(0)),
  top_logprobs: z
    .number()
    .int()
    .min(1)
    .default(100)
    .meta({ description: "Candidates per token, up to --max-logprobs (default 200)." }),
  temperature: z.number().min(0).max(2).default(1),
  response_format: z.enum(["json", "binary"]).default("json"),
});
export type SequenceLogprobsOptions = z.infer<typeof SequenceLogprobsOptions>;

export const SequenceLogprobsRequest = z
  .looseObject({
    sequences: z.array(z.array(z.number().int().min(0))).meta({ description: "Prompt and completion, token ids." }),
    ...SequenceLogprobsOptions.shape,
  })
  .meta({
    id: "TrlSequenceLogprobsRequest",
    example: { sequences: [[285, 499, 40, 41]], prompt_lengths: [2], top_logprobs: 3, response_format: "json" },
  });

export const SequenceLogprobsResponse = z
  .object({
    logprobs: z.array(z.array(z.array(z.number().nullable()))).nullable(),
    logprob_token_ids: z.array(z.array(z.array(z.number().int()))).nullable(),
    actual_logprobs: z
      .array(z.array(z.array(z.number().nullable())))
      .nullish()
      .meta({ description: "Of the very tokens that were sent; one entry per position." }),
    actual_token_ids: z.array(z.array(z.array(z.number().int()))).nullish(),
    logprobs_b64: z.string().nullable().meta({ description: "float32, little-endian, [B, L, K]; padding -inf." }),
    token_ids_b64: z.string().nullable().meta({ description: "int32, little-endian, [B, L, K]; padding 0." }),
    actual_logprobs_b64: z.string().nullable().meta({ description: "float32, [B, L, 1]." }),
    actual_token_ids_b64: z.string().nullable().meta({ description: "int32, [B, L, 1]." }),
    shape: z.array(z.number().int()).nullable().meta({ description: "[B, L, K]" }),
    completion_lengths: z.array(z.number().int()).nullable(),
  })
  .meta({
    id: "TrlSequenceLogprobsResponse",
    example: {
      logprobs: [
        [
          [-0.1, -2.5, -3.9],
          [-0.3, -1.9, -4.1],
        ],
      ],
      logprob_token_ids: [
        [
          [163, 40, 12],
          [41, 7, 9],
        ],
      ],
      actual_logprobs: [[[-2.5], [-0.3]]],
      actual_token_ids: [[[40], [41]]],
      logprobs_b64: null,
      token_ids_b64: null,
      actual_logprobs_b64: null,
      actual_token_ids_b64: null,
      shape: null,
      completion_lengths: null,
    },
  });
