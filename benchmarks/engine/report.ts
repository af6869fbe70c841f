/** What a run found, as Markdown: the machine, then a table per model with CPU time per token and ratios to each anchor. */
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { basename } from "node:path";
import { type Engine, type Measured, type Operation, toKey } from "./operations.ts";
import { median } from "./processes.ts";

/** The machine and the date, in a line. */
export async function showMachine(threads: string): Promise<string> {
  const ram = (totalmem() / 2 ** 30).toFixed(0);
  let os = `${platform()} ${release()}`;
  try {
    os = /PRETTY_NAME="([^"]*)"/.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? os;
  } catch {
    // Not a Linux of that kind.
  }
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores (${arch()}), ${ram} GiB, ${os}; ${threads} thread(s) each\n`;
}

const perToken = (list: readonly Measured[]): number => median(list.map(({ cpu, tokens }) => (cpu / tokens) * 1000));
const rate = (list: readonly Measured[]): number => median(list.map(({ wall, tokens }) => tokens / wall));

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/**
 * Ours first, then each anchor: CPU ms per token and, for anchors, ours : theirs in that round's neighbourhood (the median
 * of the rounds' ratios). A second table: tokens per second, and seconds to the first token.
 */
export function showTable(
  model: string,
  engines: readonly Engine[],
  operations: readonly Operation[],
  samples: ReadonlyMap<string, readonly Measured[]>,
): string {
  const of = (engine: string, key: string): readonly Measured[] => samples.get(`${engine}/${key}`) ?? [];
  const head = ["", ...engines.map(({ name }) => name)];
  const lines = [`### ${basename(model)}`, "", ...engines.map(({ name, label }) => `- ${name}: ${label}`), ""];
  lines.push("CPU ms per token (in brackets ours : anchor)", "", row(head), row(head.map(() => "---")));
  for (const operation of operations) {
    const key = toKey(operation);
    const own = of("ours", key);
    const cells = engines.map(({ name }) => {
      const list = of(name, key);
      if (list.length === 0) return "–";
      const figure = perToken(list).toFixed(2);
      if (name === "ours") return figure;
      const ratios = list.map((measured, round) => {
        const mine = own[round];
        return mine === undefined ? Number.NaN : mine.cpu / mine.tokens / (measured.cpu / measured.tokens);
      });
      return `${figure} (${median(ratios).toFixed(2)})`;
    });
    lines.push(row([key, ...cells]));
  }
  lines.push(
    "",
    "Tokens per second (in brackets: seconds to the first token)",
    "",
    row(head),
    row(head.map(() => "---")),
  );
  for (const operation of operations) {
    const key = toKey(operation);
    const cells = engines.map(({ name }) => {
      const list = of(name, key);
      if (list.length === 0) return "–";
      const first =
        operation.op === "prefill"
          ? median(list.map(({ wall }) => wall))
          : operation.op === "arrivals"
            ? median(list.map(({ first: seconds }) => seconds ?? Number.NaN))
            : undefined;
      return `${rate(list).toFixed(1)}${first === undefined ? "" : ` (${first.toFixed(2)})`}`;
    });
    lines.push(row([key, ...cells]));
  }
  return `${lines.join("\n")}\n`;
}
