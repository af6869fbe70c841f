/** What a server fetches of a running weight sync: the list of files. The files themselves are bytes. */
import { z } from "zod";
import { WeightDigest } from "../ids.ts";

export const WeightFileList = z
  .object({
    id: z.string(),
    digest: WeightDigest.meta({ description: "Of all tensors in these files." }),
    files: z.array(
      z.object({
        index: z.number().int().min(0),
        bytes: z.number().int().min(0).meta({ description: "Size of the safetensors file." }),
      }),
    ),
  })
  .meta({ id: "WeightFileList", description: "The files of a transfer, as `tensors/{index}` serves them." });
export type WeightFileList = z.infer<typeof WeightFileList>;
