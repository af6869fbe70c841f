/** The error body of the OpenAI dialect, in vLLM's words. */
import { z } from "zod";

export const OpenAiError = z
  .object({
    error: z.object({
      message: z.string().meta({ description: "Names field, value and what is accepted." }),
      type: z.string(),
      param: z.string().nullable().meta({ description: "The field at fault." }),
      code: z.number().int().meta({ description: "The HTTP status." }),
    }),
  })
  .meta({
    id: "OpenAiError",
    example: {
      error: { message: "n must be at least 1, got 0.", type: "BadRequestError", param: "n", code: 400 },
    },
  });
