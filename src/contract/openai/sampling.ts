/**
 * Sampling fields that completions and chat share: vLLM 0.32's names and ranges. `null` means "not named", as in vLLM;
 * unknown fields are ignored. Features that are known but not built are refused by name elsewhere, never ignored.
 */
import { z } from "zod";
import { StructuredFields } from "./structured.ts";

/** As vLLM's VLLM_MAX_N_SEQUENCES. */
export const SAMPLES_LIMIT = 16_384;

const about = (description: string) => ({ description });
const tokenIds = z.array(z.number().int().min(0));

/** Requests share cached prefixes only with those of the same salt: who does not know it cannot find out by the time it takes. */
export const CacheSalt = z
  .string()
  .min(1)
  .max(1024)
  .meta({ description: "Cached prefixes are shared with requests of the same salt only." });

/** Fields with one meaning in both requests. */
export const SamplingFields = {
  model: z
    .string()
    .nullish()
    .meta({ ...about("Served model name; without it any model."), example: "tide-nano" }),
  n: z.number().int().min(1).max(SAMPLES_LIMIT).nullish().meta(about("Samples per prompt; default 1.")),
  temperature: z.number().min(0).max(2).nullish().meta(about("0 = greedy. Default: the model's own, else 1.")),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.number().int().min(-1).nullish().meta(about("0 or -1 = off.")),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.number().int().nullish(),
  stop: z
    .union([z.string(), z.array(z.string())])
    .nullish()
    .meta(about("Strings that end a sample.")),
  stop_token_ids: tokenIds.nullish(),
  include_stop_str_in_output: z.boolean().nullish(),
  ignore_eos: z.boolean().nullish(),
  min_tokens: z.number().int().min(0).nullish(),
  skip_special_tokens: z.boolean().nullish().meta(about("Default true.")),
  logit_bias: z
    .record(z.string().regex(/^\d{1,10}$/), z.number().min(-100).max(100))
    .nullish()
    .meta(about("Token id → added to its logit.")),
  allowed_token_ids: tokenIds.min(1).nullish(),
  bad_words: z.array(z.string().min(1)).nullish(),
  ...StructuredFields,
  prompt_logprobs: z
    .number()
    .int()
    .min(-1)
    .nullish()
    .meta(about("Candidates per prompt token, up to --max-logprobs (default 200); -1 = all. Not with `stream`.")),
  return_token_ids: z.boolean().nullish(),
  return_tokens_as_token_ids: z.boolean().nullish().meta(about("Tokens in logprobs as `token_id:N`.")),
  stream: z.boolean().nullish(),
  stream_options: z
    .object({ include_usage: z.boolean().nullish(), continuous_usage_stats: z.boolean().nullish() })
    .nullish(),
  cache_salt: CacheSalt.nullish(),
  request_id: z.string().min(1).max(256).nullish(),
  user: z.string().nullish(),
};

/** How long prompts are cut; shared by every route that takes prompts. */
export const TruncationFields = {
  truncate_prompt_tokens: z
    .number()
    .int()
    .min(-1)
    .nullish()
    .meta(about("Keep so many prompt tokens; -1 = as many as the context takes.")),
  truncation_side: z
    .enum(["left", "right"])
    .nullish()
    .meta(about("The side that is cut off; default left, of embeddings right.")),
};

export const Usage = z
  .object({
    prompt_tokens: z.number().int(),
    total_tokens: z.number().int(),
    completion_tokens: z.number().int(),
    prompt_tokens_details: z.object({ cached_tokens: z.number().int() }).nullish(),
    completion_tokens_details: z.null().optional(),
  })
  .meta({ id: "Usage" });

export const FinishReason = z.enum(["stop", "length", "abort"]).meta({ id: "FinishReason" });

/** One position of `prompt_logprobs`: token id → candidate; null for the first token. */
export const PromptLogprobs = z
  .array(
    z
      .record(
        z.string(),
        z
          .object({ logprob: z.number(), rank: z.number().int(), decoded_token: z.string().nullable() })
          .meta({ id: "PromptLogprob" }),
      )
      .nullable(),
  )
  .meta({ id: "PromptLogprobs" });

/** `7`, or `"7-8"` when the weights changed while the answer was made. */
export const WeightVersionField = z
  .union([z.number().int(), z.string()])
  .meta({ description: "Weights that made the answer; `7-8` when they changed meanwhile. Embedded replicas only." });
export const WeightDigestField = z.string().nullable();
