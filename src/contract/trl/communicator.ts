/** TRL's small routes: sizes, health, the communicator and named parameters. */
import { z } from "zod";

export const TrlHealth = z.object({ status: z.literal("ok") }).meta({ id: "TrlHealth", example: { status: "ok" } });

export const TensorParallelSize = z
  .object({ tensor_parallel_size: z.number().int().min(0) })
  .meta({ id: "TrlTensorParallelSize", example: { tensor_parallel_size: 1 } });

export const TrlMessage = z.object({ message: z.string() }).meta({ id: "TrlMessage" });

export const InitCommunicator = z
  .object({
    host: z.string(),
    port: z.number().int().min(1).max(65_535),
    world_size: z.number().int().min(1),
    client_device_uuid: z.string().nullish(),
  })
  .meta({
    id: "TrlInitCommunicator",
    example: { host: "0.0.0.0", port: 51_216, world_size: 2, client_device_uuid: "GPU-1" },
  });

export const NamedParam = z
  .object({ name: z.string().min(1), dtype: z.string().min(1), shape: z.array(z.number().int().min(0)) })
  .meta({
    id: "TrlNamedParam",
    example: { name: "model.norm.weight", dtype: "torch.bfloat16", shape: [64] },
  });

export const NamedParams = z.object({ params: z.array(NamedParam) }).meta({
  id: "TrlNamedParams",
  example: { params: [{ name: "model.norm.weight", dtype: "torch.bfloat16", shape: [64] }] },
});
