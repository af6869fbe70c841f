/** vLLM's weight transfer routes. The bodies are checked as vLLM's envelope check does; their contents are the engines'. */
import { z } from "zod";
import { ServerResults } from "./control.ts";

export const InitWeightTransfer = z.object({ init_info: z.looseObject({}) }).meta({
  id: "VllmInitWeightTransfer",
  example: { init_info: { master_address: "10.0.0.5", master_port: 51_216, rank_offset: 1, world_size: 2 } },
});

export const StartWeightUpdate = z
  .looseObject({ is_checkpoint_format: z.boolean().nullish() })
  .meta({ id: "VllmStartWeightUpdate", example: {} });

export const UpdateWeights = z
  .object({
    update_info: z.union([z.looseObject({}), z.array(z.looseObject({}))], { error: "an object or a list of objects" }),
  })
  .meta({
    id: "VllmUpdateWeights",
    example: {
      update_info: { names: ["model.norm.weight"], dtype_names: ["bfloat16"], shapes: [[64]] },
    },
  });

export const FinishWeightUpdate = z
  .object({ weight_version: z.string().nullish() })
  .meta({ id: "VllmFinishWeightUpdate", example: { weight_version: "step-7" } });

export const UpdateWeightVersion = z
  .object({ new_version: z.string() })
  .meta({ id: "VllmUpdateWeightVersion", example: { new_version: "7" } });

export const WeightVersionSet = z
  .object({ success: z.boolean(), new_version: z.string() })
  .meta({ id: "VllmWeightVersionSet" });

export const WeightInfo = z
  .object({ weight_version: z.string().meta({ description: "The fleet's published version, as text." }) })
  .meta({ id: "VllmWeightInfo", example: { weight_version: "7" } });

export const WeightMessage = z
  .object({
    message: z.string(),
    servers: ServerResults,
    version: z.number().int().optional().meta({ description: "The fleet's new version, after a finish." }),
    weight_version: z.string().optional().meta({ description: "The label that the servers now carry." }),
    sync: z.string().optional().meta({ description: "Id of the weight sync in `GET /api/weight-syncs`." }),
  })
  .meta({ id: "VllmMessage" });
