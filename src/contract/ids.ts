/** Branded identifiers: a bare string or number is never an id or a version. */
import { z } from "zod";

export const ReplicaId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
  .brand<"ReplicaId">()
  .meta({
    id: "ReplicaId",
    description: "Id of a replica: lower case letters, digits and dashes.",
    example: "embedded-0",
  });
export type ReplicaId = z.infer<typeof ReplicaId>;

export const WeightVersion = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).brand<"WeightVersion">().meta({
  id: "WeightVersion",
  description: "An integer that only grows; the first weights served are 0.",
  example: 412,
});
export type WeightVersion = z.infer<typeof WeightVersion>;

export const WeightDigest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .brand<"WeightDigest">()
  .meta({
    id: "WeightDigest",
    description: "sha256 over the sorted list of (name, dtype, shape, sha256 of the bytes) of all tensors.",
    example: `sha256:${"0f".repeat(32)}`,
  });
export type WeightDigest = z.infer<typeof WeightDigest>;

export const SyncId = z
  .string()
  .regex(/^ws_[A-Za-z0-9-]{1,64}$/)
  .brand<"SyncId">()
  .meta({ id: "SyncId", description: "Id of a weight sync.", example: "ws_7d1f2c" });
export type SyncId = z.infer<typeof SyncId>;

/** A tensor's name in the Hugging Face checkpoint, such as `model.layers.0.self_attn.q_proj.weight`. */
export type TensorName = string & { readonly __brand: "TensorName" };
