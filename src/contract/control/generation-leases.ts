/** A generation lease: the offloaded groups of a model brought into memory for the time of a generation, and given back. */
import { z } from "zod";
import { ReplicaId } from "../ids.ts";

export const LeaseId = z
  .string()
  .regex(/^gl_[A-Za-z0-9-]{1,64}$/)
  .brand<"LeaseId">()
  .meta({ id: "LeaseId", description: "Id of a generation lease.", example: "gl_2b6c91" });
export type LeaseId = z.infer<typeof LeaseId>;

/** As for weight syncs: a day, so that no timer overflows. */
const LONGEST_SECONDS = 86_400;
/** More groups than any model has. */
const GROUP_LIMIT = 4100;

const Ttl = z
  .number()
  .min(0.1)
  .max(LONGEST_SECONDS)
  .meta({ description: "Seconds until it ends by itself; renew it with PATCH.", example: 60 });

export const CreateLease = z
  .strictObject({
    model: z.string().min(1).max(512).optional().meta({ description: "Default: the model that is served." }),
    gather: z
      .union([z.boolean(), z.array(z.string().min(1).max(64)).min(1).max(GROUP_LIMIT)])
      .default(true)
      .meta({
        description:
          "`true`: all offloaded groups come into memory. `false`: none does (`gather_deepspeed3_params=False`). Or the names of groups.",
      }),
    ttl_s: Ttl.default(60),
    wait_s: z
      .number()
      .min(0)
      .max(3600)
      .default(60)
      .meta({ description: "Seconds to wait while a weight sync switches the model." }),
    parent: LeaseId.optional().meta({
      description:
        "A lease that the caller holds. A nested one does not wait for a weight sync that waits for its parent.",
    }),
    stream: z
      .boolean()
      .default(false)
      .meta({ description: "Answer with server-sent events; the lease ends when the connection does." }),
  })
  .meta({ id: "CreateLease" });
export type CreateLease = z.infer<typeof CreateLease>;

export const RenewLease = z.strictObject({ ttl_s: Ttl }).meta({ id: "RenewLease" });
export type RenewLease = z.infer<typeof RenewLease>;

export const GenerationLease = z
  .object({
    id: LeaseId,
    model: z.string(),
    state: z.enum(["active", "released", "expired", "revoked", "lost"]).meta({
      description:
        "`released`: given back by its holder. `expired`: nobody renewed it. `revoked`: a weight sync or a shutdown took it. `lost`: its worker died.",
    }),
    reason: z.string().nullable().meta({ description: "Why it ended." }),
    gather: z.union([z.boolean(), z.array(z.string())]),
    ttl_s: z.number(),
    parent: LeaseId.nullable(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
    created_by: z.string().meta({ description: "Name of the API key." }),
    servers: z.array(ReplicaId).meta({ description: "Replicas that hold the gathered groups." }),
  })
  .meta({ id: "GenerationLease" });
export type GenerationLease = z.infer<typeof GenerationLease>;

export const LeaseList = z.object({ generation_leases: z.array(GenerationLease) }).meta({ id: "LeaseList" });

/** One event of a held-open lease. */
export interface LeaseEvent {
  readonly type: "lease";
  readonly lease: GenerationLease;
}
