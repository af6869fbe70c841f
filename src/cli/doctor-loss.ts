/** What each quantisation of a model loses, as `doctor --model` says it: a table and a judgement of each row. */
import type { Ports } from "../ports.ts";
import type { Finding } from "./findings.ts";
import { toSize } from "./progress.ts";

/** One line of the measuring process (src/worker/loss-main.ts). */
export interface LossRow {
  readonly form: string;
  readonly weightFormat: string;
  readonly weightBytes: number;
  readonly kl: number;
  readonly absolute: number;
  readonly agreement: number;
  readonly referencePerplexity: number;
  readonly perplexity: number;
}

export interface LossTable {
  readonly rows: readonly LossRow[];
  /** Of the model in float32, and the positions compared; null when the measurement did not end. */
  readonly reference: { readonly weightBytes: number; readonly positions: number } | null;
  /** What the model was loaded on; null when that was not asked for. */
  readonly device: TriedDevice | null;
  /** Why it did not end. */
  readonly error: string | null;
}

export interface TriedDevice {
  readonly provider: string;
  readonly name: string;
  readonly notes: readonly string[];
  /** Operators that the CPU runs all the same. */
  readonly elsewhere: string;
}

/** A file's own blocks and 8 bits stay below this on every model measured; llama.cpp's own loss is of this size. */
const SMALL_KL = 0.02;
/** Beyond this a model of 135 M parameters no longer answers as it did (docs/performance.md). */
const RUINED_KL = 0.1;

/** Runs the measurement in a process of its own. */
export async function measureLoss(
  ports: Pick<Ports, "spawn">,
  model: string,
  forms: readonly string[],
  asked = "",
): Promise<LossTable> {
  const module = new URL("../worker/loss-main.ts", import.meta.url);
  const child = ports.spawn!(module, ["worker", model, forms.join(","), asked]);
  let device: TriedDevice | null = null;
  const rows: LossRow[] = [];
  let reference: LossTable["reference"] = null;
  let error: string | null = null;
  let text = "";
  let complaint = "";
  const decoder = new TextDecoder();
  const listen = async (): Promise<void> => {
    for await (const bytes of child.stderr) complaint = (complaint + new TextDecoder().decode(bytes)).slice(-2000);
  };
  const heard = listen().catch(() => {});
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      const said = JSON.parse(line) as { type: string; message: string } & LossRow &
        NonNullable<LossTable["reference"]>;
      if (said.type === "row") rows.push(said);
      else if (said.type === "device") device = said as unknown as TriedDevice;
      else if (said.type === "reference") reference = said;
      else error = said.message;
    }
  }
  const exit = await child.exited;
  await heard;
  if (reference === null && error === null) {
    const last = complaint.trim().split("\n").at(-1) ?? "";
    error = `the measuring process ended (${exit.signal ?? `exit code ${exit.code}`})${last === "" ? "" : `: ${last}`}`;
  }
  return { rows, reference, device, error };
}

const NAMES: Readonly<Record<string, string>> = {
  keep: "--quantize keep",
  int8: "--quantize int8",
  int4: "--quantize int4",
};
const nameOf = (form: string): string => NAMES[form] ?? form;
const scientific = (value: number): string => value.toExponential(1);

/** The table as text. */
export function showLoss({ rows, reference }: LossTable): string {
  if (rows.length === 0 || reference === null) return "";
  const head = ["weights", "bytes", "mean KL", "mean |Δ logprob|", "top-1 agreement", "perplexity"];
  const lines = [
    head,
    ["float32", toSize(reference.weightBytes), "–", "–", "–", rows[0]!.referencePerplexity.toFixed(2)],
    ...rows.map((row) => [
      nameOf(row.form),
      toSize(row.weightBytes),
      scientific(row.kl),
      row.absolute.toFixed(4),
      `${(100 * row.agreement).toFixed(1)} %`,
      row.perplexity.toFixed(2),
    ]),
  ];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const shown = lines.map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("   "),
  );
  return `\nLoss against the same model in float32, ${reference.positions} positions of the built-in text:\n\n${shown.join("\n")}\n`;
}

function judge(row: LossRow, asked: boolean, acceptLoss: boolean): Finding {
  const subject = `loss, ${nameOf(row.form)}`;
  const numbers = `mean KL ${scientific(row.kl)}, same first choice in ${(100 * row.agreement).toFixed(1)} %`;
  if (row.kl <= SMALL_KL) return { level: "ok", subject, found: `small: ${numbers}` };
  if (row.kl <= RUINED_KL) {
    return { level: "warning", subject, found: `noticeable: ${numbers}`, mend: "use more bits where it matters" };
  }
  const plain =
    row.form === "int4"
      ? "plain rounding to 4 bits ruins this model"
      : row.form === "int8"
        ? "plain rounding to 8 bits ruins this model"
        : "computing with this file's blocks ruins this model";
  const instead =
    row.form === "keep"
      ? "serve it without --quantize, in float32"
      : `take ${row.form === "int4" ? "--quantize int8, or " : ""}a GGUF file whose blocks were made from the original weights (Q8_0, Q6_K, Q4_K, Q4_1)`;
  const still = row.form === "int4" ? "; to serve it all the same: --quantize int4 --accept-loss" : "";
  const level = asked && !acceptLoss ? "failure" : "warning";
  return { level, subject, found: `${plain}: ${numbers}`, mend: `${instead}${still}` };
}

/** What runs where. */
function judgeDevice(device: TriedDevice | null): Finding[] {
  if (device === null) return [];
  const { provider, name, notes, elsewhere } = device;
  const found = [`${provider} (${name})`, ...notes].join("; ");
  if (elsewhere === "") return [{ level: "ok", subject: "device", found }];
  const mend = "expect copies between device and CPU at each of them; --device cpu runs all in one place";
  return [
    {
      level: "warning",
      subject: "device",
      found: `${found}; these operators would run on the CPU: ${elsewhere}`,
      mend,
    },
  ];
}

/** A judgement of each row. A form that was asked for and ruins the model is a failure, unless its loss is accepted. */
export function judgeLoss(table: LossTable, asked: string | undefined, acceptLoss: boolean): Finding[] {
  const findings = [
    ...judgeDevice(table.device),
    ...table.rows.map((row) => judge(row, row.form === asked, acceptLoss)),
  ];
  if (table.error === null) return findings;
  const mend = "start it with tidegate serve --model and read the log; the message names what is wrong";
  return [...findings, { level: "failure", subject: "model", found: table.error, mend }];
}
