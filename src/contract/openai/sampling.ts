/**
 * Sampling fields that completions and chat share: vLLM 0.32's names and ranges. `null` means "not named", as in vLLM;
 * unknown fields are ignored. Features that are known but not built are refused by name elsewhere, never ignored.
 */
import { z } from "zod";
import { StructuredFields } from "./structured.ts";

/** As vLLM's VLLM_MAX_N_SEQUENCES. */
export const SAMPLES_LIMIT = 16_384;

const about = (description: string) => ({ description });
/** Whether they are in the vocabulary is the engine's to say. */
const tokenIds = z.array(z.number().int());

/** Integers of 64 bits; JSON readers round those beyond 2^53, so that the upper bound itself is let in. */
const int64 = (description?: string, least = -(2 ** 63)) =>
  z
    .number()
    .refine((value) => Number.isInteger(value) && value >= least && value <= 2 ** 63, {
      error: `an integer of 64 bits${least === -(2 ** 63) ? "" : `, at least ${least}`}`,
    })
    .nullish()
    .meta({ type: ["integer", "null"], format: "int64", ...(description === undefined ? {} : { description }) });

/** Each is looked for in every piece of text. vLLM takes 4 unless VLLM_MAX_STOP_STRINGS says otherwise. */
const STOPS_LIMIT = 64;

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
  top_k: z
    .number()
    .multipleOf(1)
    .min(-1)
    .nullish()
    .meta({ ...about("0 or -1 = off."), type: ["integer", "null"] }),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  seed: int64(),
  stop: z
    .union([z.string(), z.array(z.string()).max(STOPS_LIMIT)], { error: `a string or up to ${STOPS_LIMIT} strings` })
    .nullish()
    .meta(about("Strings that end a sample.")),
  stop_token_ids: tokenIds.nullish(),
  include_stop_str_in_output: z.boolean().nullish(),
  ignore_eos: z.boolean().nullish(),
  min_tokens: z.number().int().min(0).nullish(),
  skip_special_tokens: z.boolean().nullish().meta(about("Default true.")),
  logit_bias: z
    .record(z.string(), z.number())
    .nullish()
    .meta(about("Token id → added to its logit, from -100 to 100 (what is beyond counts as the bound).")),
  allowed_token_ids: tokenIds.min(1).nullish(),
  bad_words: z.array(z.string()).nullish(),
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
  request_id: z.string().max(256).nullish(),
  priority: int64("Taken and not used: the order is fair."),
  use_beam_search: z.boolean().nullish().meta(about("Not supported.")),
  length_penalty: z.number().nullish().meta(about("Of beam search; not used.")),
  spaces_between_special_tokens: z.boolean().nullish().meta(about("Only true.")),
  kv_transfer_params: z.record(z.string(), z.unknown()).nullish().meta(about("Not supported.")),
  vllm_xargs: z.record(z.string(), z.unknown()).nullish().meta(about("Not supported.")),
  repetition_detection: z.record(z.string(), z.unknown()).nullish().meta(about("Not supported.")),
  logprob_token_ids: tokenIds.nullish().meta(about("Not supported.")),
  user: z.string().nullish(),
};

/** How long prompts are cut; shared by every route that takes prompts. */
export const TruncationFields = {
  truncate_prompt_tokens: int64("Keep so many prompt tokens; -1 = as many as the context takes.", -1),
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
