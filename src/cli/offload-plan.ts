/** `tidegate offload-plan`: what a DeepSpeed configuration means for a model, on this machine; no gateway is needed. */
import type { OffloadPlan } from "../contract/control/offload-plans.ts";
import { GatewayError } from "../errors.ts";
import { planLaunchFile } from "../platform/checkpoints.ts";
import { EXIT } from "../platform/run.ts";
import type { Options } from "./arguments.ts";
import { createCommand } from "./command.ts";
import { type Command, OperationError, UsageError } from "./io.ts";

const COMPAT = "trl-0.15";

const OPTIONS: Options = {
  model: { value: "DIR", help: "Hugging Face model directory; only its headers are read. Required." },
  "offload-to-cpu": { help: "Weights wait on the cpu, whatever the file says." },
  compat: { value: "NAME", help: `"${COMPAT}": exactly what TRL 0.15 hands to DeepSpeed, known defects included.` },
  json: { help: "Print the plan as JSON." },
};

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

function showBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** Rows with columns as wide as their widest cell; numbers to the right. */
function toTable(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const pad = (cell: string, column: number): string =>
    right.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join("  ").trimEnd());
}

function showPlan({ config, groups, bytes, notes, residency, model, unknown_keys: unknown }: OffloadPlan): string {
  const tiers = [
    ["group", "tier", "bytes", ""],
    ...groups.map((group) => [group.name, group.tier, String(group.bytes), showBytes(group.bytes)]),
    ["device", "", String(bytes.device), showBytes(bytes.device)],
    ["cpu", "", String(bytes.cpu), showBytes(bytes.cpu)],
    ["disk", "", String(bytes.disk), showBytes(bytes.disk)],
  ];
  const table = toTable(tiers, new Set([2, 3]));
  const limit = residency.max_in_cpu === null ? "" : `, at most ${residency.max_in_cpu} elements in memory`;
  const buffers = residency.buffer_count === 0 ? "" : `, ${residency.buffer_count} buffers`;
  return [
    `${model}: offload_param ${residency.device}${limit}${buffers}${residency.pin_memory ? ", pinned" : ""}`,
    "",
    ...table.slice(0, groups.length + 1),
    "",
    ...table.slice(groups.length + 1),
    "",
    "configuration",
    JSON.stringify(config, null, 2),
    ...(unknown.length === 0 ? [] : ["", `unknown keys, kept: ${unknown.join(", ")}`]),
    ...(notes.length === 0 ? [] : ["", "notes", ...notes.map((note) => `- ${note}`)]),
    "",
  ].join("\n");
}

/** The command. Ends with 2 for what was typed wrong or a configuration that is refused, with 4 when a file cannot be read. */
export const offloadPlan: Command = createCommand({
  summary: "Show what a DeepSpeed configuration means for a model.",
  usage: "offload-plan DEEPSPEED.json|ACCELERATE.yaml --model DIR [options]",
  about:
    "Resolves a DeepSpeed configuration as TRL's prepare_deepspeed does it, for a model that only generates, and shows\n" +
    "where each group of its weights would live. Takes DeepSpeed's own file or the one of accelerate launch.",
  options: OPTIONS,
  positionals: { least: 1, most: 1, called: "DEEPSPEED.json or ACCELERATE.yaml" },
  async run({ values, positionals }, io) {
    if (typeof values.model !== "string") throw new UsageError("--model is missing: a Hugging Face model directory");
    if (values.compat !== undefined && values.compat !== COMPAT) {
      throw new UsageError(`--compat must be "${COMPAT}", got "${values.compat}"`);
    }
    try {
      const plan = await planLaunchFile(io.ports.files!, positionals[0]!, {
        model: values.model,
        offloadToCpu: values["offload-to-cpu"] === true,
        compat: values.compat === undefined ? null : COMPAT,
      });
      io.out(values.json === true ? `${JSON.stringify(plan, null, 2)}\n` : showPlan(plan));
      return EXIT.done;
    } catch (error) {
      // A configuration that is refused is bad usage; a file that cannot be read, or a budget that fits nothing, is not.
      const failed = error instanceof GatewayError && !["invalid_value", "missing_field"].includes(error.code);
      throw failed ? new OperationError(error.message) : error;
    }
  },
});
