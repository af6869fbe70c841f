/** Weight syncs: the request, the resource, its events. */
import { z } from "zod";
import { ReplicaId, SyncId, WeightDigest, WeightVersion } from "../ids.ts";

export const SyncMode = z
  .enum(["abort", "wait", "keep"])
  .meta({ id: "SyncMode", description: "What happens to generations in flight, in vLLM's words. Default `wait`." });
export type SyncMode = z.infer<typeof SyncMode>;

export const DiskSource = z
  .strictObject({
    kind: z.literal("disk"),
    path: z
      .string()
      .min(1)
      .max(4096)
      .meta({ description: "Model directory or one .safetensors file, on the gateway's machine." }),
  })
  .meta({ id: "DiskSource" });

export const HttpSource = z
  .strictObject({
    kind: z.literal("http"),
    urls: z
      .array(z.url({ protocol: /^https?$/ }))
      .min(1)
      .max(1024),
    sha256: z
      .array(z.string().regex(/^[0-9a-f]{64}$/))
      .optional()
      .meta({ description: "One per URL." }),
  })
  .meta({ id: "HttpSource" });

export const UploadSource = z
  .strictObject({ kind: z.literal("upload") })
  .meta({ id: "UploadSource", description: "The body of the request that started the sync." });

export const NcclSource = z
  .strictObject({
    kind: z.literal("nccl"),
    master_address: z.string().min(1).max(255),
    master_port: z.number().int().min(1).max(65535),
    names: z.array(z.string()).optional(),
    dtype_names: z.array(z.string()).optional(),
    shapes: z.array(z.array(z.number().int().min(0))).optional(),
  })
  .meta({ id: "NcclSource" });

export const SyncSource = z
  .discriminatedUnion("kind", [DiskSource, HttpSource, UploadSource, NcclSource])
  .meta({ id: "SyncSource" });
export type SyncSource = z.infer<typeof SyncSource>;

/** Longest time a sync may be given: a day. A bound, so that no timer overflows. */
const DEADLINE_LIMIT_SECONDS = 86_400;
/** No source can be read in less; a shorter deadline is a mistake in the unit. */
const DEADLINE_LEAST_SECONDS = 0.1;

export const StartSync = z
  .strictObject({
    version: WeightVersion.optional().meta({ description: "Must be greater than the current one; default: the next." }),
    label: z.string().max(256).optional().meta({ description: "Free text, such as the trainer's step." }),
    source: SyncSource,
    mode: SyncMode.default("wait"),
    deadline_s: z.number().min(DEADLINE_LEAST_SECONDS).max(DEADLINE_LIMIT_SECONDS).default(600),
    verify: z.boolean().default(true).meta({ description: "Compare digests across replicas before the switch." }),
    partial: z.boolean().default(false).meta({ description: "Only some tensors; the others stay as they are." }),
  })
  .meta({ id: "StartSync" });
export type StartSync = z.infer<typeof StartSync>;

/** `receive` reads and checks the source, `stage` loads it beside the old weights, `switch` is the only step that is seen. */
export const SyncPhase = z
  .enum(["receive", "stage", "verify", "drain", "switch", "publish", "done"])
  .meta({ id: "SyncPhase" });
export type SyncPhase = z.infer<typeof SyncPhase>;

export const SyncErrorBody = z
  .object({
    code: z.string(),
    phase: SyncPhase,
    replica: ReplicaId.optional(),
    message: z.string(),
    tensor: z.string().optional().meta({ description: "The tensor at fault." }),
    upstream: z.string().optional(),
  })
  .meta({ id: "SyncError" });

export const SyncServer = z
  .object({
    id: ReplicaId,
    phase: z.enum([
      "waiting",
      "staging",
      "staged",
      "verified",
      "switching",
      "switched",
      "discarded",
      "fenced",
      "left_out",
    ]),
    bytes_done: z.number().int().min(0),
    bytes_total: z.number().int().min(0),
    digest: WeightDigest.optional(),
    verified: z.enum(["digest", "compared", "unverified"]).optional().meta({
      description:
        "Once it has switched. `digest`: it proved the digest. `compared`: its parameters equal another server's (`--compare-weights`). `unverified`: it said that it loaded them, and nothing more is known.",
    }),
    error: z.string().optional(),
  })
  .meta({ id: "SyncServer" });
export type SyncServer = z.infer<typeof SyncServer>;

export const WeightSync = z
  .object({
    id: SyncId,
    state: z.enum(["running", "completed", "failed", "aborted"]),
    phase: SyncPhase,
    version: WeightVersion,
    label: z.string().nullable(),
    digest: WeightDigest.nullable().meta({ description: "Of the whole model after this sync; null until verified." }),
    source: SyncSource,
    mode: SyncMode,
    partial: z.boolean(),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
    bytes_done: z.number().int().min(0),
    bytes_total: z.number().int().min(0),
    servers: z.array(SyncServer),
    error: SyncErrorBody.optional(),
  })
  .meta({ id: "WeightSync" });
export type WeightSync = z.infer<typeof WeightSync>;

export const WeightSyncList = z.object({ weight_syncs: z.array(WeightSync) }).meta({ id: "WeightSyncList" });

export const WeightVersionRecord = z
  .object({
    version: WeightVersion,
    label: z.string().nullable(),
    digest: WeightDigest.nullable(),
    created_at: z.iso.datetime(),
    created_by: z
      .string()
      .meta({ description: "Name of the API key, `anonymous` without keys, `start` for version 0." }),
    source: z.string().meta({ description: "How: `start`, `disk`, `http`, `upload`, …" }),
    sync: SyncId.nullable(),
    servers: z.array(ReplicaId),
  })
  .meta({ id: "WeightVersionRecord" });
export type WeightVersionRecord = z.infer<typeof WeightVersionRecord>;

export const WeightVersionList = z
  .object({ weight_versions: z.array(WeightVersionRecord) })
  .meta({ id: "WeightVersionList" });

export const DryRunResult = z
  .object({
    possible: z.boolean(),
    servers: z.array(z.object({ id: ReplicaId, possible: z.boolean(), reason: z.string().nullable() })),
    reasons: z.array(z.string()),
    bytes_total: z.number().int().min(0).nullable(),
    digest: WeightDigest.nullable(),
  })
  .meta({ id: "DryRunResult" });
export type DryRunResult = z.infer<typeof DryRunResult>;
