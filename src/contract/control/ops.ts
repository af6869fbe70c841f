/** Answers of the operations routes: liveness, readiness, version. */
import { z } from "zod";
import { WeightDigest, WeightVersion } from "../ids.ts";

export const Liveness = z.object({ status: z.literal("alive") }).meta({ id: "Liveness", example: { status: "alive" } });

export const Readiness = z
  .object({
    ready: z.boolean(),
    reason: z.string().nullable().meta({ description: "Why not; null when ready." }),
    servers: z.array(z.object({ id: z.string(), state: z.string(), reason: z.string().nullable() })),
  })
  .meta({
    id: "Readiness",
    example: { ready: true, reason: null, servers: [{ id: "embedded-0", state: "ready", reason: null }] },
  });

export const VersionInfo = z
  .object({
    version: z.string().meta({ description: "Version of the gateway; the field that vLLM's `/version` has, too." }),
    name: z.literal("tidegate"),
    runtime: z.string().meta({ description: "JavaScript runtime and its version." }),
    weight_version: WeightVersion,
    weight_digest: WeightDigest.nullable(),
  })
  .meta({
    id: "VersionInfo",
    example: { version: "0.1.0", name: "tidegate", runtime: "bun 1.4.5", weight_version: 3, weight_digest: null },
  });
