/** A replica as the control API shows it. */
import { z } from "zod";
import { ReplicaId, WeightDigest, WeightVersion } from "../ids.ts";

export const ServerKind = z.enum(["vllm", "trl", "embedded"]);

export const ServerState = z
  .enum(["starting", "ready", "draining", "syncing", "quarantined", "unreachable", "stopped"])
  .meta({ id: "ServerState", description: "Lifecycle of a replica. Only `ready` ones are given requests." });
export type ServerState = z.infer<typeof ServerState>;

const byteCount = z.number().int().min(0);
/** Where an embedded replica's weights are, as its last heartbeat or call said. */
export const ServerResidency = z
  .object({
    bytes: z
      .object({ device: byteCount, cpu: byteCount, disk: byteCount })
      .meta({ description: "Weights by tier, as float32, every byte once. On a CPU device and cpu are one: cpu." }),
    budget_bytes: byteCount.nullable().meta({ description: "The memory budget (`--max-in-cpu`); null: no limit." }),
    page_ins: byteCount.meta({ description: "Groups of weights read from disk for a step, since the worker started." }),
    tokens: byteCount.meta({ description: "Tokens computed since the worker started, of prompts and of outputs." }),
    page_ins_per_token: z.number().min(0).nullable().meta({ description: "null before the first token." }),
    gathered: byteCount.meta({ description: "Groups that are in memory only for a generation lease." }),
    process_bytes: byteCount
      .nullable()
      .meta({ description: "Resident memory of the worker: weights, KV cache, the program; null: not measured." }),
  })
  .meta({ id: "ServerResidency" });
export type ServerResidency = z.infer<typeof ServerResidency>;

/** Beyond it one server is a thousand times another; a typing error rather than a fleet. */
const WEIGHT_LIMIT = 1000;
export const ServerWeight = z
  .number()
  .positive()
  .max(WEIGHT_LIMIT)
  .meta({ description: "Share of the requests under `--policy weighted`, relative to the other servers. Default 1." });

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
    weight: ServerWeight,
    models: z.array(z.string()),
    adapters: z
      .record(z.string(), z.number().int())
      .optional()
      .meta({ description: "LoRA adapters that were loaded through the gateway, and their versions; absent without." }),
    last_error: z.string().nullable(),
    residency: ServerResidency.nullable().meta({ description: "null for servers whose weights are not ours to move." }),
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
    weight: ServerWeight.optional(),
  })
  .meta({ id: "AttachServer" });
export type AttachServer = z.infer<typeof AttachServer>;

export const PatchServer = z
  .strictObject({ state: z.enum(["draining", "ready"]).optional(), weight: ServerWeight.optional() })
  .refine(({ state, weight }) => state !== undefined || weight !== undefined, {
    message: "given, or weight instead of it",
    path: ["state"],
  })
  .meta({ id: "PatchServer", description: "`draining` takes the replica out of rotation; `ready` puts it back." });
export type PatchServer = z.infer<typeof PatchServer>;
