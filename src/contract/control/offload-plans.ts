/** An offload plan: a DeepSpeed configuration resolved for a model, and where that model's weights would live. */
import { z } from "zod";

/** A path on the gateway's machine. No file system knows longer ones, none allows a zero byte. */
const Path = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\0]*$/);

/** Where weights are. `disk`: read again for every use. */
export const Tier = z.enum(["device", "cpu", "disk"]).meta({ id: "Tier" });
export type Tier = z.infer<typeof Tier>;

const Bytes = z.number().int().min(0);

export const TierBytes = z.object({ device: Bytes, cpu: Bytes, disk: Bytes }).meta({ id: "TierBytes" });

const Json = z.record(z.string(), z.unknown());

/** Fields that are not looked at are accepted: a whole `config.json` may be given. */
const Shape = z
  .looseObject({
    hidden_size: z
      .number()
      .int()
      .min(0)
      .max(2 ** 26)
      .nullable()
      .optional(),
    hidden_sizes: z
      .array(
        z
          .number()
          .int()
          .min(0)
          .max(2 ** 26),
      )
      .max(4096)
      .nullable()
      .optional(),
  })
  .meta({ description: "What of `model.config` is looked at; then there is no model to place." });

/** What both a plan and its application are made from. */
export const OffloadFields = {
  deepspeed_config: Json.meta({
    description:
      "DeepSpeed's configuration, or the contents of accelerate's launch file with the DeepSpeed plugin inside. Unknown keys are kept and listed.",
  }),
  offload_to_cpu: z.boolean().default(false).meta({ description: "Whatever the configuration says of devices." }),
  compat: z
    .enum(["trl-0.15"])
    .nullable()
    .default(null)
    .meta({ description: "`trl-0.15`: exactly what TRL 0.15 hands to DeepSpeed, known defects included." }),
  num_processes: z
    .number()
    .int()
    .min(1)
    .max(2 ** 20)
    .optional()
    .meta({ description: 'Processes of the run, for batch sizes that are "auto". Default: the launch file\'s, or 1.' }),
  mixed_precision: z
    .enum(["no", "fp16", "bf16", "fp8"])
    .optional()
    .meta({ description: "accelerate's word. Default: what the launch file or the model's `config.json` says." }),
};

export const OffloadPlanRequest = z
  .strictObject({
    ...OffloadFields,
    model: z
      .union([
        Path.meta({ description: "Hugging Face model directory on the gateway's machine. Only its headers are read." }),
        Shape,
        z.null(),
      ])
      .meta({ example: "/models/llama" }),
    trainer: z
      .strictObject({
        per_device_train_batch_size: z.number().int().min(1),
        fp16: z.boolean().default(false),
        bf16: z.boolean().default(false),
      })
      .optional()
      .meta({
        description:
          "With `compat`: TRL 0.15's older function of the same name (`trl/trainer/utils.py`), and its arguments.",
      }),
  })
  .meta({ id: "OffloadPlanRequest" });
export type OffloadPlanRequest = z.infer<typeof OffloadPlanRequest>;

const Outcome = z
  .union([
    z.object({ config: Json }),
    z.object({ error: z.object({ code: z.string(), message: z.string(), param: z.string().optional() }) }),
  ])
  .meta({ id: "OffloadOutcome", description: "A configuration, or why there is none." });
export type OffloadOutcome = z.infer<typeof Outcome>;

export const OffloadPlan = z
  .object({
    compat: z.enum(["trl-0.15"]).nullable(),
    config: Json.meta({ description: "What DeepSpeed is handed: `original` with `compat`, else `corrected`." }),
    notes: z.array(z.string()).meta({ description: "`path: text`, each difference to the original with its reason." }),
    unknown_keys: z.array(z.string()).meta({ description: "Paths of keys that DeepSpeed does not know; kept." }),
    original: Outcome.meta({ description: "TRL 0.15's result." }),
    corrected: Outcome.meta({ description: "Its result without the known defects." }),
    plugin_config: Json.optional().meta({
      description: "With `trainer`: the caller's configuration afterwards, which that function changes in place.",
    }),
    model: z.string().nullable().meta({ description: "Absolute path; null when only a shape was given." }),
    hidden_size: z.number().int().nullable(),
    groups: z
      .array(z.object({ name: z.string(), tier: Tier, bytes: Bytes, elements: Bytes }))
      .meta({ description: "In the order of use: `embed`, `layers.0` …, `head`. Bytes as in the files." }),
    bytes: TierBytes,
    residency: z
      .object({
        device: z.enum(["none", "cpu", "nvme"]),
        max_in_cpu: Bytes.nullable().meta({ description: "Elements kept in memory; null = no limit." }),
        buffer_count: Bytes.meta({ description: "Groups under way from disk at a time; 0 when nothing is streamed." }),
        pin_memory: z.boolean(),
      })
      .meta({ description: "What decides where weights live." }),
  })
  .meta({ id: "OffloadPlan" });
export type OffloadPlan = z.infer<typeof OffloadPlan>;
