/** vLLM's RL control routes: queries and small answers, as 0.32 has them. */
import { z } from "zod";

/** pydantic's spellings of a boolean in a query. */
const TRUE_WORDS = ["true", "True", "TRUE", "1", "yes", "on", "t", "y"] as const;
const FALSE_WORDS = ["false", "False", "FALSE", "0", "no", "off", "f", "n"] as const;

export const QueryBoolean = z.enum([...TRUE_WORDS, ...FALSE_WORDS]);
export type QueryBoolean = z.infer<typeof QueryBoolean>;

/** The value of a query boolean; `otherwise` when it is absent. */
export const toBoolean = (value: QueryBoolean | undefined, otherwise: boolean): boolean =>
  value === undefined ? otherwise : (TRUE_WORDS as readonly string[]).includes(value);

export const PauseQuery = z.object({
  mode: z
    .enum(["abort", "wait", "keep"])
    .optional()
    .meta({ description: "What happens to running generations: end, finish or freeze. Default `abort`." }),
  clear_cache: QueryBoolean.optional().meta({ description: "Drop cached prefixes, also with `keep`. Default true." }),
});

/** One per server of the fleet; vLLM's own answers have none, and its clients do not look. */
export const ServerResults = z
  .array(
    z.object({
      id: z.string(),
      rank_offset: z.number().int().optional().meta({ description: "Its first rank in the trainer's group." }),
      world_size: z.number().int().optional().meta({ description: "Ranks of the whole group." }),
      skipped: z.string().optional().meta({ description: "Not asked: its state." }),
    }),
  )
  .optional()
  .meta({ description: "One per server." });

export const StatusAnswer = z.object({ status: z.string(), servers: ServerResults }).meta({ id: "VllmStatus" });
export const IsPaused = z.object({ is_paused: z.boolean() }).meta({ id: "VllmIsPaused" });
export const IsSleeping = z.object({ is_sleeping: z.boolean() }).meta({ id: "VllmIsSleeping" });

export const ResetPrefixCacheQuery = z.object({
  reset_running_requests: QueryBoolean.optional().meta({ description: "Also while requests run. Default false." }),
  reset_external: QueryBoolean.optional().meta({ description: "Accepted; there is no external cache." }),
});
export const ResetPrefixCache = z
  .object({
    success: z.boolean().meta({ description: "false: refused because requests run." }),
    servers: ServerResults,
  })
  .meta({ id: "VllmResetPrefixCache" });

export const SleepQuery = z.object({
  level: z.coerce
    .number()
    .int()
    .min(0)
    .max(2)
    .optional()
    .meta({
      description:
        "0: only stop generating. 1: give the memory of weights and KV cache back; waking restores the weights. 2: discard " +
        "the weights; they are loaded again when all is awake, unless a sync brought others before. Default 1.",
    }),
  mode: z
    .enum(["abort", "wait", "keep"])
    .optional()
    .meta({ description: "What becomes of running requests, as in `/pause`. Default abort." }),
});
export const Sleeping = z
  .object({ status: z.string(), level: z.number().int(), servers: ServerResults })
  .meta({ id: "VllmSleeping" });

export const WakeUpQuery = z.object({
  tags: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .meta({ description: "`weights`, `kv_cache`; repeatable. None: everything." }),
});
export const Awake = z
  .object({ status: z.string(), tags: z.array(z.string()).nullable(), servers: ServerResults })
  .meta({ id: "VllmAwake" });

export const WorldSizeQuery = z.object({
  include_dp: QueryBoolean.optional().meta({ description: "false: one replica's ranks. Default true." }),
});
export const WorldSize = z
  .object({ world_size: z.number().int().min(0) })
  .meta({ id: "WorldSize", example: { world_size: 2 } });

export const ServerLoad = z.object({ server_load: z.number().int().min(0) }).meta({ id: "VllmServerLoad" });

export const ServerInfoQuery = z.object({ config_format: z.enum(["text", "json"]).optional() });
export const ServerInfo = z
  .looseObject({
    vllm_config: z.union([z.string(), z.looseObject({})]),
    vllm_env: z.unknown(),
    system_env: z.unknown(),
  })
  .meta({ id: "VllmServerInfo" });

export const AbortRequests = z
  .object({
    request_ids: z
      .array(z.string())
      .nullish()
      .meta({ description: "Not supported yet; without it all running requests end." }),
  })
  .meta({ id: "VllmAbortRequests", example: {} });
export const Aborted = z.object({ status: z.string(), aborted: z.number().int() }).meta({ id: "VllmAborted" });

/** Body of a 503 of the health routes. */
export const NotReady = z
  .object({
    detail: z.string(),
    servers: z.array(z.object({ id: z.string(), state: z.string(), reason: z.string().nullable() })),
  })
  .meta({
    id: "NotReady",
    example: {
      detail: "No replica is ready.",
      servers: [{ id: "embedded-0", state: "starting", reason: "loading the model" }],
    },
  });
