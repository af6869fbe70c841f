/** A replica as the control API shows it. */
import { z } from "zod";
import { ReplicaId, WeightDigest, WeightVersion } from "../ids.ts";

export const ServerKind = z.enum(["vllm", "trl", "embedded"]);

export const ServerState = z
  .enum(["starting", "ready", "draining", "syncing", "quarantined", "unreachable", "stopped"])
  .meta({ id: "ServerState", description: "Lifecycle of a replica. Only `ready` ones are given requests." });
export type ServerState = z.infer<typeof ServerState>;

export const Server = z
  .object({
    id: ReplicaId,
    kind: ServerKind,
    url: z.string().nullable().meta({ description: "Base URL of an upstream; null for a worker process." }),
    state: ServerState,
    weight_version: WeightVersion.nullable(),
    weight_digest: WeightDigest.nullable(),
    world_size: z.number().int().min(0),
    in_flight: z.number().int().min(0),
    models: z.array(z.string()),
    last_error: z.string().nullable(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  })
  .meta({ id: "Server" });
export type Server = z.infer<typeof Server>;

export const ServerList = z.object({ servers: z.array(Server) }).meta({ id: "ServerList" });

export const AttachServer = z
  .strictObject({
    id: ReplicaId.optional(),
    kind: z.enum(["auto", "vllm", "trl"]).default("auto"),
    url: z
      .url({ protocol: /^https?$/ })
      .meta({ description: "Base URL of the server, without a path.", example: "http://127.0.0.1:8001" }),
  })
  .meta({ id: "AttachServer" });
export type AttachServer = z.infer<typeof AttachServer>;

export const PatchServer = z
  .strictObject({ state: z.enum(["draining", "ready"]) })
  .meta({ id: "PatchServer", description: "`draining` takes the replica out of rotation; `ready` puts it back." });
export type PatchServer = z.infer<typeof PatchServer>;
