/** Error bodies of the TRL dialect: FastAPI's. */
import { z } from "zod";

export const TrlError = z
  .object({ detail: z.string() })
  .meta({ id: "TrlError", example: { detail: "No replica is ready." } });

export const TrlValidationError = z
  .object({
    detail: z.array(
      z.object({
        type: z.string(),
        loc: z.array(z.union([z.string(), z.number().int()])),
        msg: z.string(),
        input: z.unknown(),
      }),
    ),
  })
  .meta({ id: "TrlValidationError" });
