/** The fleet as one object, its event feed, and the audit log. */
import { z } from "zod";
import { SyncId, WeightDigest, WeightVersion } from "../ids.ts";
import { Server } from "./servers.ts";
import { WeightSync } from "./weight-syncs.ts";

export const Fleet = z
  .object({
    state: z
      .enum(["starting", "ready", "degraded", "unavailable", "paused", "draining"])
      .meta({ description: "`degraded`: some replica cannot serve; `unavailable`: none can." }),
    weight_version: WeightVersion,
    weight_digest: WeightDigest.nullable(),
    world_size: z.number().int().min(0),
    servers: z.array(Server),
    active_sync: SyncId.nullable(),
  })
  .meta({ id: "Fleet" });
export type Fleet = z.infer<typeof Fleet>;

/** One item of `/api/events` and `/api/weight-syncs/{id}/events`; the SSE `event` name is its `type`. */
export const FleetEvent = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("sync"), sync: WeightSync }).meta({ id: "SyncEvent" }),
    z.object({ type: z.literal("server"), server: Server }).meta({ id: "ServerEvent" }),
    z.object({ type: z.literal("fleet"), fleet: Fleet }).meta({ id: "FleetStateEvent" }),
  ])
  .meta({ id: "FleetEvent" });
export type FleetEvent = z.infer<typeof FleetEvent>;

export const AuditEntry = z
  .object({
    at: z.iso.datetime(),
    actor: z.string(),
    action: z.string().meta({ example: "POST /api/weight-syncs" }),
    request_id: z.string(),
    outcome: z.string().meta({ description: "HTTP status of the answer, or the final state of the sync." }),
    sync: SyncId.optional(),
    version: WeightVersion.optional(),
    digest: WeightDigest.optional(),
  })
  .meta({ id: "AuditEntry" });
export type AuditEntry = z.infer<typeof AuditEntry>;

export const AuditList = z.object({ entries: z.array(AuditEntry) }).meta({ id: "AuditList" });
