/** `POST /tokenize` and `POST /detokenize`, vLLM's shapes. */
import { z } from "zod";
import { ChatOptions, TemplateFields } from "./chat.ts";

const Flags = {
  model: z.string().nullish(),
  add_special_tokens: z.boolean().nullish(),
  return_token_strs: z.boolean().nullish(),
};

export const TokenizeText = z.object({ prompt: z.string(), ...Flags }).meta({ id: "TokenizeText" });

export const TokenizeChat = z
  .object({
    ...Flags,
    messages: ChatOptions.shape.messages,
    tools: ChatOptions.shape.tools,
    add_generation_prompt: z.boolean().nullish(),
    continue_final_message: z.boolean().nullish(),
    ...TemplateFields,
  })
  .meta({ id: "TokenizeChat" });

export const TokenizeRequest = z
  .union([TokenizeText, TokenizeChat])
  .meta({ id: "TokenizeRequest", example: { model: "tide-nano", prompt: "What is 17 + 25?" } });

export const TokenizeResponse = z
  .object({
    count: z.number().int(),
    max_model_len: z.number().int().nullable(),
    tokens: z.array(z.number().int()),
    token_strs: z.array(z.string()).nullable(),
  })
  .meta({
    id: "TokenizeResponse",
    example: { count: 3, max_model_len: 512, tokens: [285, 499, 486], token_strs: null },
  });

export const DetokenizeRequest = z
  .object({
    model: z.string().nullish(),
    tokens: z.array(
      z
        .number()
        .int()
        .min(0)
        .max(2 ** 32 - 1),
    ),
  })
  .meta({ id: "DetokenizeRequest", example: { model: "tide-nano", tokens: [285, 499] } });

export const DetokenizeResponse = z
  .object({ prompt: z.string() })
  .meta({ id: "DetokenizeResponse", example: { prompt: "The gateway" } });
