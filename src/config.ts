/**
 * One schema makes the command-line flags, the environment names, the configuration file and the table in the docs.
 * Pure: reading files, arguments and environment is the platform's and the CLI's work.
 */
import { z } from "zod";
import { TOOL_PARSERS } from "./contract/openai/tool-parsers.ts";
import { PoolerConfigField } from "./contract/pooler.ts";
import { SCOPES } from "./contract/scopes.ts";
import { GatewayError, showValue } from "./errors.ts";

/** A key as configured: `KEY`, `NAME=KEY` or `NAME=KEY:scope+scope`; without scopes it may do everything. */
export interface ApiKey {
  readonly name: string;
  readonly key: string;
  readonly scopes: readonly (typeof SCOPES)[number][];
}

const apiKey = z.string().transform((text, context): ApiKey => {
  const match = /^(?:([A-Za-z0-9_.-]{1,64})=)?([^\s:]{8,512})(?::([a-z+]+))?$/.exec(text);
  const scopes = match?.[3]?.split("+") ?? [...SCOPES];
  const unknown = scopes.find((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (match === null || unknown !== undefined) {
    context.addIssue({
      code: "custom",
      message: `must be KEY, NAME=KEY or NAME=KEY:scope+scope with a key of 8 to 512 characters and scopes out of ${SCOPES.join(", ")} (the value is not shown)`,
    });
    return z.NEVER;
  }
  return { name: match[1] ?? "key", key: match[2] ?? "", scopes: scopes as ApiKey["scopes"] };
});

/** What `--server-weight` says: which server, and its share. */
export interface ServerWeight {
  /** Base URL as given with `--upstream`, or the id of an embedded replica. */
  readonly server: string;
  readonly weight: number;
}

const serverWeight = z.string().transform((text, context): ServerWeight => {
  const [, server = "", number = ""] = /^(.+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const weight = Number(number);
  if (server !== "" && weight > 0 && weight <= 1000) return { server: server.replace(/\/+$/, ""), weight };
  context.addIssue({ code: "custom", message: "must be URL=N or ID=N with N above 0 and up to 1000" });
  return z.NEVER;
});

const url = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, ""));
/** A server's URL, or a name that stands for several. */
const upstream = z
  .string()
  .meta({ format: "uri" })
  .transform((text, context): string => {
    if (text.startsWith("dns://")) {
      const [, name = "", port = ""] =
        /^dns:\/\/([A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]+\]):(\d{1,5})\/?$/.exec(text) ?? [];
      if (name !== "" && Number(port) >= 1 && Number(port) <= 65_535) return `dns://${name}:${port}`;
      context.addIssue({ code: "custom", message: "must be dns://NAME:PORT" });
      return z.NEVER;
    }
    const parsed = url.safeParse(text);
    if (parsed.success) return parsed.data;
    for (const { message } of parsed.error.issues) context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
const integer = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const seconds = (most: number) => z.coerce.number().positive().max(most);
/** "true"/"false" from the environment; a bare flag is true. */
const flag = z.union([
  z.boolean(),
  z.enum(["true", "false", "1", "0", ""]).transform((text) => text !== "false" && text !== "0"),
]);

const UNIT: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4 };
/** "1536MiB", "4G", "1000000000": a number of bytes, with a unit or without. */
const bytes = z
  .union([
    z.number().int().positive(),
    z.string().regex(/^\d+(\.\d+)?([kmgt](i?b)?)?$/i, "must be bytes, such as 1536MiB or 4G"),
  ])
  .transform((value): number => {
    const [, amount = "", unit = ""] = /^([\d.]+)(.*)$/.exec(String(value).toLowerCase()) ?? [];
    return Math.floor(Number(amount) * (unit.includes("i") ? 1024 : 1000) ** (UNIT[unit[0] ?? ""] ?? 0));
  });

/** Every setting. `describe` is the help text; kebab-case of the name is the flag, TIDEGATE_UPPER_CASE the environment name. */
export const ConfigSchema = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on. Beyond loopback API keys are required."),
  port: integer(0, 65535).default(8000).describe("Port to listen on; 0 takes a free one."),
  model: z.string().min(1).optional().describe("Hugging Face model directory or GGUF file for embedded replicas."),
  servedModelName: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe("Name in /v1/models; default: the name of directory or file (tide-nano for the shipped model)."),
  device: z.enum(["auto", "cpu", "webgpu", "cuda"]).default("auto").describe("Where embedded replicas run."),
  quantize: z
    .enum(["auto", "none", "keep", "int8", "int4"])
    .default("auto")
    .describe(
      "How embedded replicas hold matrices: auto and none (float32, whatever the file has), keep (blocks of a GGUF file as they are), int8 or int4 (rounded when loaded).",
    ),
  acceptLoss: flag.default(false).describe("Serve --quantize int4, though plain rounding to 4 bits loses much."),
  skipTokenizerInit: flag
    .default(false)
    .describe("Embedded replicas without a tokenizer: prompts are token ids, answers carry token_ids and no text."),
  memoryBudget: bytes
    .optional()
    .describe("Memory that one embedded replica may take, such as 4GiB; default: what is free when it starts."),
  replicas: integer(1, 64).default(1).describe("Embedded replicas, one worker process each."),
  maxConcurrency: integer(1, 1024).default(32).describe("Sequences that one embedded replica decodes at a time."),
  maxModelLen: integer(1, 1_048_576)
    .optional()
    .describe("Tokens of prompt and output together; default: the model's own."),
  poolerConfig: PoolerConfigField.prefault("{}").describe(
    'How embedded replicas make embeddings, as JSON: {"pooling_type": "LAST" or "MEAN", "use_activation": true}.',
  ),
  maxInCpu: bytes
    .optional()
    .describe(
      "Memory of one embedded replica, such as 1536MiB or 4G: never more of weights, and the whole process where one step lets it; the rest is read from disk layer by layer. Default: no limit.",
    ),
  offloadPlan: z
    .string()
    .min(1)
    .optional()
    .describe(
      "DeepSpeed's JSON or accelerate's YAML file: weights of embedded replicas live where it says (stage, offload_param, thresholds), from their start on.",
    ),
  maxQueue: integer(1, 1_000_000).default(4096).describe("Sequences that may wait in one embedded replica before 429."),
  maxQueuedTokens: integer(1, 1_000_000_000_000)
    .default(8_388_608)
    .describe("Prompt tokens that may wait in one embedded replica; once as many wait, requests are answered 429."),
  maxLogprobs: integer(-1, 1_000_000)
    .optional()
    .describe(
      "Candidates per token that a request may ask for; -1: all, also as logprobs -1. Default: 20 of output tokens, as vLLM, and 200 of prompt tokens.",
    ),
  logprobsMode: z
    .enum(["processed_logprobs", "raw_logprobs"])
    .default("processed_logprobs")
    .describe(
      "Log probabilities of output tokens: of the distribution that they were drawn from, after penalties, temperature and filters, or of the model's own (vLLM's default). Prompt tokens: always the model's own.",
    ),
  maxTokensPerRequest: integer(1, 100_000_000)
    .default(1_048_576)
    .describe("Limit of n × max_tokens × prompts of one request."),
  trustRequestChatTemplate: flag
    .default(false)
    .describe("Let requests bring a chat_template of their own; embedded replicas refuse it otherwise."),
  enableAutoToolChoice: flag
    .default(false)
    .describe("Let embedded replicas call tools of their own accord (tool_choice auto); needs --tool-call-parser."),
  toolCallParser: z
    .enum(TOOL_PARSERS)
    .optional()
    .describe("Format in which the embedded model writes tool calls, by vLLM's name."),
  upstream: z
    .array(upstream)
    .default([])
    .describe("Base URL of a vLLM server, or dns://NAME:PORT for every address of a name; repeatable."),
  dnsInterval: seconds(86_400).default(10).describe("Seconds between look-ups of `dns://` upstreams."),
  upstreamKind: z.enum(["auto", "vllm", "trl"]).default("auto").describe("What the upstreams speak."),
  upstreamApiKey: z.string().min(1).optional().describe("Bearer key that upstreams ask for."),
  advertiseUrl: url
    .optional()
    .describe("URL under which vLLM servers reach this gateway to fetch weights; default: where it listens."),
  upstreamWait: seconds(86_400)
    .default(10)
    .describe("Seconds to wait at start for the first upstream that answers, before giving up with exit code 3."),
  policy: z
    .enum(["least-in-flight", "round-robin", "power-of-two", "prefix", "session", "weighted"])
    .default("least-in-flight")
    .describe("How a replica is chosen."),
  hedgeAfter: seconds(86_400)
    .optional()
    .describe(
      "Seconds after which a call that does not stream is asked of a second replica too; the first answer counts. Default: never.",
    ),
  serverWeight: z
    .array(serverWeight)
    .default([])
    .describe("Share of one server under `--policy weighted`, as URL=N or ID=N; repeatable. The others have 1."),
  store: z
    .string()
    .regex(/^(memory|sqlite:.+|(redis|rediss|valkey|valkeys):.+)$/, "must be memory, sqlite:FILE or redis://HOST:PORT")
    .default("memory")
    .describe(
      "Where syncs, versions and fences are kept: memory (gone with the process), sqlite:FILE (outlives it, kill -9 too) or redis://HOST:PORT[/DB] (shared by several gateways; also valkey:, rediss:).",
    ),
  storePassword: z
    .string()
    .min(1)
    .optional()
    .describe("Password of the store, where its address has none; better set as TIDEGATE_STORE_PASSWORD."),
  storePasswordFile: z.string().min(1).optional().describe("File whose first line is that password."),
  storeLease: seconds(600)
    .default(10)
    .describe(
      "Seconds without a word to the shared store after which a gateway has lost its sync; after half of them it answers no generation.",
    ),
  logFormat: z.enum(["text", "json"]).default("text").describe("Log lines on standard error."),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level that is logged."),
  apiKey: z.array(apiKey).default([]).describe("API key; repeatable. Forms: KEY, NAME=KEY, NAME=KEY:scope+scope."),
  allowUnauthenticated: flag.default(false).describe("Allow a non-loopback bind without API keys."),
  maxBodyBytes: integer(1024, 2 ** 31)
    .default(64 * 2 ** 20)
    .describe("Largest request body, weight uploads aside."),
  requestTimeout: seconds(86_400)
    .default(3600)
    .describe("Seconds a request may take when it names no x-request-timeout."),
  streamIdleTimeout: seconds(86_400).default(600).describe("Seconds an upstream stream may be silent."),
  startTimeout: seconds(86_400).default(600).describe("Seconds a replica may take to start."),
  drainTimeout: seconds(3600).default(30).describe("Seconds that running requests get on SIGTERM."),
  probeInterval: seconds(3600).default(2).describe("Seconds between health checks of a replica."),
  ncclHost: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Address of this machine that GPU workers and trainers reach; default: found by connecting to an upstream.",
    ),
  ncclLibrary: z
    .string()
    .min(1)
    .optional()
    .describe("Path of libnccl, for weight syncs over NCCL and the bridge; default: the system's."),
  cudartLibrary: z
    .string()
    .min(1)
    .optional()
    .describe("Path of the CUDA runtime, for weight syncs over NCCL and the bridge; default: the system's."),
  trainerMode: z
    .enum(["wait", "abort", "keep"])
    .default("wait")
    .describe("What happens to running generations when a trainer starts an update without a pause of its own."),
  trainerTimeout: seconds(86_400)
    .default(600)
    .describe("Seconds that a trainer's weight call may take, and that a trainer may be silent in an open update."),
  compareWeights: flag
    .default(false)
    .describe(
      "After a sync, compare the weights of vLLM servers through their /weight_checker before they serve. Reads all weights once.",
    ),
  spoolDir: z
    .string()
    .min(1)
    .optional()
    .describe("Where incoming weights are kept until the next version; default: a temporary directory."),
});

export type Config = z.infer<typeof ConfigSchema>;
export type ConfigField = keyof Config;

/** Every field name, in schema order. */
export const CONFIG_FIELDS = Object.keys(ConfigSchema.shape) as ConfigField[];

/** `maxModelLen` → `--max-model-len`. */
export const toFlag = (field: string): string =>
  `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** `maxModelLen` → `TIDEGATE_MAX_MODEL_LEN`. */
export const toEnvironmentName = (field: string): string =>
  `TIDEGATE_${field.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** Fields whose value is never shown, not even in an error. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(["apiKey", "upstreamApiKey", "store", "storePassword"]);

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127\./.test(host);

/**
 * Validates merged settings (flags over environment over file, already keyed by field name).
 * Throws GatewayError `invalid_value` whose message names the flag, the value and what is accepted.
 *
 * @example
 * ```ts
 * import { parseConfig } from "./config.ts";
 * const config = parseConfig({ port: "9000" });
 * if (config.port !== 9000 || config.host !== "127.0.0.1") throw new Error("defaults changed");
 * ```
 */
export function parseConfig(values: Readonly<Record<string, unknown>>): Config {
  const parsed = ConfigSchema.safeParse(values);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = String(issue?.path[0] ?? (issue?.code === "unrecognized_keys" ? issue.keys[0] : "configuration"));
    const value = SECRET_FIELDS.has(field) ? "(not shown)" : showValue(values[field]);
    throw new GatewayError("invalid_value", `${toFlag(field)}: ${issue?.message ?? "invalid"}, got ${value}.`, {
      param: field,
    });
  }
  const config = parsed.data;
  if (!isLoopback(config.host) && config.apiKey.length === 0 && !config.allowUnauthenticated) {
    throw new GatewayError(
      "invalid_value",
      `--host ${config.host} is reachable from other machines, and no API key is set: anyone could replace the weights. ` +
        "Add --api-key NAME=KEY (or TIDEGATE_API_KEY), or --allow-unauthenticated if the network itself is trusted, or keep --host 127.0.0.1.",
      { param: "host" },
    );
  }
  if (config.enableAutoToolChoice && config.toolCallParser === undefined) {
    throw new GatewayError(
      "invalid_value",
      `--enable-auto-tool-choice requires --tool-call-parser: one of ${TOOL_PARSERS.join(", ")}.`,
      { param: "enableAutoToolChoice without toolCallParser" },
    );
  }
  if (config.quantize === "int4" && !config.acceptLoss) {
    // No setting is at fault by itself, so that the message is not reworded to one's accepted values.
    throw new GatewayError(
      "invalid_value",
      "--quantize int4 rounds the weights to 4 bits without calibration, which ruins small models. See what it costs with " +
        "tidegate doctor --model PATH; take --quantize int8 or a GGUF file made with 4-bit blocks, or add --accept-loss.",
      { param: "quantize without accept-loss" },
    );
  }
  return config;
}
