/** `POST /v1/embeddings` as vLLM 0.32 has it, plus the weight stamp. */
import { z } from "zod";
import { ChatRequestMessage, TemplateFields } from "./chat.ts";
import { CacheSalt, TruncationFields, Usage, WeightDigestField, WeightVersionField } from "./sampling.ts";

/** Everything but `input`, which is read by hand as a completion's `prompt` is. */
export const EmbeddingOptions = z.object({
  model: z.string().nullish().meta({ description: "Served model name; without it any model.", example: "tide-nano" }),
  messages: z
    .array(ChatRequestMessage)
    .nullish()
    .meta({ description: "A conversation in place of `input`, written by the chat template." }),
  encoding_format: z
    .enum(["float", "base64"])
    .nullish()
    .meta({ description: "Numbers (default), or base64 of float32." }),
  embed_dtype: z.literal("float32").nullish(),
  endianness: z.enum(["native", "little", "big"]).nullish().meta({ description: "Of base64; default little." }),
  dimensions: z
    .number()
    .int()
    .min(1)
    .nullish()
    .meta({ description: "Shorter vectors, for models whose config.json says `is_matryoshka`." }),
  use_activation: z
    .boolean()
    .nullish()
    .meta({ description: "Scale to length 1; default: --pooler-config, else true." }),
  pooling_type: z
    .enum(["LAST", "MEAN"])
    .nullish()
    .meta({ description: "Which hidden states; default: --pooler-config, else LAST. Embedded replicas only." }),
  add_special_tokens: z.boolean().nullish().meta({ description: "Default true; of `messages` false." }),
  add_generation_prompt: z.boolean().nullish().meta({ description: "Of `messages`; default false." }),
  continue_final_message: z.boolean().nullish(),
  ...TemplateFields,
  ...TruncationFields,
  request_id: z.string().min(1).max(256).nullish(),
  cache_salt: CacheSalt.nullish(),
  user: z.string().nullish(),
});
export type EmbeddingOptions = z.infer<typeof EmbeddingOptions>;

const tokenIds = z.array(z.number().int().min(0));

export const EmbeddingRequest = z
  .looseObject({
    input: z
      .union([z.string(), z.array(z.string()), tokenIds, z.array(tokenIds)])
      .optional()
      .meta({
        description: "A text, texts, token ids, or a list of token id lists. Required unless `messages` is given.",
      }),
    ...EmbeddingOptions.shape,
  })
  .meta({ id: "EmbeddingRequest", example: { model: "tide-nano", input: ["What is 17 + 25?", "Fill 8 with |."] } });

export const EmbeddingResponse = z
  .looseObject({
    id: z.string(),
    object: z.literal("list"),
    created: z.number().int(),
    model: z.string(),
    data: z.array(
      z
        .object({
          index: z.number().int(),
          object: z.literal("embedding"),
          embedding: z.union([z.array(z.number()), z.string()]),
        })
        .meta({ id: "Embedding" }),
    ),
    usage: Usage,
    weight_version: WeightVersionField.optional(),
    weight_digest: WeightDigestField.optional(),
  })
  .meta({
    id: "EmbeddingResponse",
    example: {
      id: "embd-6f1c",
      object: "list",
      created: 1_795_401_568,
      model: "tide-nano",
      data: [{ index: 0, object: "embedding", embedding: [0.6, -0.8] }],
      usage: {
        prompt_tokens: 9,
        total_tokens: 9,
        completion_tokens: 0,
        prompt_tokens_details: null,
        completion_tokens_details: null,
      },
      weight_version: 1,
      weight_digest: `sha256:${"0f".repeat(32)}`,
    },
  });
