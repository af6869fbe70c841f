/** `GET /v1/models` and `GET /v1/models/{id}`. */
import { z } from "zod";

export const ModelObject = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.number().int(),
    owned_by: z.string(),
    root: z.string(),
    parent: z.string().nullable().meta({ description: "Base model of a LoRA adapter." }),
    max_model_len: z.number().int().nullable(),
    adapter_version: z.number().int().optional().meta({
      description: "Of a LoRA adapter that was loaded through the gateway: 1 for the first load of its name.",
    }),
    permission: z.array(z.looseObject({ id: z.string() })),
  })
  .meta({
    id: "Model",
    example: {
      id: "tide-nano",
      object: "model",
      created: 1_795_401_568,
      owned_by: "tidegate",
      root: "models/tide-nano/base",
      parent: null,
      max_model_len: 512,
      permission: [],
    },
  });

export const ModelList = z.object({ object: z.literal("list"), data: z.array(ModelObject) }).meta({ id: "ModelList" });
