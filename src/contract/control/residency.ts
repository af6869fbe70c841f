/** Where the weights of a served model are, and how that is changed at run time. */
import { z } from "zod";
import { ReplicaId } from "../ids.ts";
import { OffloadFields, OffloadPlan, Tier, TierBytes } from "./offload-plans.ts";

const Bytes = z.number().int().min(0);

/** A directive as the worker takes it. What it leaves out has its default, not its old value. */
export const ResidencyDirective = z
  .strictObject({
    groups: z
      .record(z.string().min(1).max(64), Tier)
      .optional()
      .meta({ description: "Tier by group name. Groups not named stay in memory as the budget allows.", example: {} }),
    max_in_cpu_bytes: Bytes.optional().meta({
      description: "Bytes of memory that weights may take, streaming buffers included. Default: no limit.",
    }),
    buffer_count: z.number().int().min(1).max(4096).optional(),
    pin_memory: z.boolean().optional(),
    max_gathered_bytes: Bytes.optional().meta({
      description: "Bytes that weights may take while gathered. Default: what the machine has available then.",
    }),
  })
  .meta({ id: "ResidencyDirective" });
export type ResidencyDirective = z.infer<typeof ResidencyDirective>;

const PlanDirective = z
  .strictObject(OffloadFields)
  .meta({ id: "PlanDirective", description: "A DeepSpeed configuration to apply." });
export type PlanDirective = z.infer<typeof PlanDirective>;

/** Either form; `deepspeed_config` tells which. */
export const PutResidency = z.union([ResidencyDirective, PlanDirective]).meta({ id: "PutResidency" });
export type PutResidency = z.infer<typeof PutResidency>;
export { PlanDirective };

export const ResidencyReport = z
  .object({
    groups: z.array(z.object({ name: z.string(), tier: Tier, bytes: Bytes, pinned: z.boolean() })),
    bytes: TierBytes,
    budget_bytes: Bytes.nullable().meta({ description: "null = no limit." }),
    page_ins: Bytes.meta({ description: "Groups read from disk for a step since the worker started." }),
    tokens: Bytes.meta({ description: "Tokens computed since the worker started." }),
    gathered: Bytes.meta({ description: "Groups in memory only because a generation lease holds them." }),
  })
  .meta({
    id: "ResidencyReport",
    description: "Measured by the worker. On a CPU, device and cpu are one memory and count as cpu.",
  });
export type ResidencyReport = z.infer<typeof ResidencyReport>;

export const ModelResidency = z
  .object({
    model: z.string(),
    servers: z.array(z.object({ id: ReplicaId, residency: ResidencyReport })),
    plan: OffloadPlan.optional().meta({ description: "When a DeepSpeed configuration was applied." }),
  })
  .meta({ id: "ModelResidency" });
export type ModelResidency = z.infer<typeof ModelResidency>;
