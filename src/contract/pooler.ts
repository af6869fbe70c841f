/** `--pooler-config`: how prompts become embeddings, in the fields of vLLM 0.32's `PoolerConfig` that apply here. */
import { z } from "zod";

/** What is in force, every default applied. */
export interface PoolerConfig {
  readonly pooling_type: "LAST" | "MEAN";
  /** Scale to length 1, unless a request says otherwise. */
  readonly use_activation: boolean;
}

const PoolerFields = z.strictObject({
  pooling_type: z.enum(["LAST", "MEAN"]).nullish(),
  seq_pooling_type: z.enum(["LAST", "MEAN"]).nullish(),
  use_activation: z.boolean().nullish(),
  task: z.literal("embed").nullish(),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const ACCEPTED =
  'must be a JSON object such as {"pooling_type": "MEAN", "use_activation": true}, with pooling_type (or seq_pooling_type) LAST or MEAN';

/** A JSON text or an object → the pooler configuration; LAST and scaled by default. */
export const PoolerConfigField = z
  .union([z.string(), z.record(z.string(), z.unknown())])
  .transform((given, context): PoolerConfig => {
    const found = PoolerFields.safeParse(typeof given === "string" ? parseJson(given) : given);
    const both = found.success && found.data.pooling_type != null && found.data.seq_pooling_type != null;
    if (!found.success || both) {
      const issue = found.error?.issues[0];
      const where = issue?.path.join(".") ?? "";
      const unknown = issue?.code === "unrecognized_keys" ? `, which has no ${issue.keys[0]} here` : "";
      const named = where === "" ? unknown : ` (at fault: ${where})`;
      context.addIssue({ code: "custom", message: `${ACCEPTED}${both ? ", not both" : named}` });
      return z.NEVER;
    }
    const { pooling_type, seq_pooling_type, use_activation } = found.data;
    return { pooling_type: pooling_type ?? seq_pooling_type ?? "LAST", use_activation: use_activation ?? true };
  });
