/** vLLM's LoRA routes, as 0.32 has them (entrypoints/serve/lora/protocol.py). Unknown fields are overlooked, as there. */
import { z } from "zod";

export const LoadLoraAdapter = z
  .object({
    lora_name: z.string().meta({ description: "What requests name as their `model`." }),
    lora_path: z.string().meta({ description: "A PEFT directory that every server can read." }),
    load_inplace: z.boolean().default(false).meta({
      description: "Also where the name is taken: requests that use it wait until all servers have the new one.",
    }),
    is_3d_lora_weight: z.boolean().default(false),
  })
  .meta({ id: "VllmLoadLoraAdapter", example: { lora_name: "policy-v7", lora_path: "/shared/adapters/7" } });

export const UnloadLoraAdapter = z
  .object({ lora_name: z.string(), lora_int_id: z.number().int().nullish() })
  .meta({ id: "VllmUnloadLoraAdapter", example: { lora_name: "policy-v6" } });
