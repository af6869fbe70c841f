/** `tidegate doctor`: what it found, what would fail, and the mend for each. Changes nothing. */
import { EXIT } from "../platform/run.ts";
import { type Options, parseArguments, toHelp } from "./arguments.ts";
import { checkMachine } from "./doctor-machine.ts";
import { checkModel } from "./doctor-model.ts";
import { checkUpstream } from "./doctor-upstream.ts";
import type { Command } from "./io.ts";

/** One thing that was looked at. `mend` is there exactly when it is not fine. */
export interface Finding {
  readonly level: "ok" | "warning" | "failure";
  readonly subject: string;
  readonly found: string;
  readonly mend?: string;
}

const OPTIONS: Options = {
  upstream: { value: "URL", repeatable: true, help: "A vLLM server to look at." },
  model: { value: "DIR", help: "A model directory to look at." },
  port: { value: "N", help: "The port the gateway would listen on. Default: 8000." },
  json: { help: "Print the findings as JSON." },
};

const help = (): string =>
  toHelp("doctor [options]", "Looks at this machine, a model and upstream servers, and says what would fail.", OPTIONS);

const MARK = { ok: "ok  ", warning: "warn", failure: "FAIL" } as const;

/** Findings as text: one line each, the mend below. */
export const showFindings = (findings: readonly Finding[]): string =>
  findings
    .map(
      ({ level, subject, found, mend }) => `${MARK[level]}  ${subject}: ${found}\n${mend ? `      → ${mend}\n` : ""}`,
    )
    .join("");

/** The command. Ends with 4 when something would fail. */
export const doctor: Command = {
  summary: "Find what would fail, and how to mend it.",
  help,
  async run(args, io) {
    const { values } = parseArguments(args, OPTIONS, { least: 0, most: 0, called: "" });
    if (values.help === true) {
      io.out(help());
      return EXIT.done;
    }
    const port = Number(values.port ?? 8000);
    const findings = await checkMachine(io.ports, port);
    if (typeof values.model === "string") findings.push(...(await checkModel(io.ports, values.model)));
    for (const url of (values.upstream as string[] | undefined) ?? []) {
      findings.push(...(await checkUpstream(io.ports, url)));
    }
    io.out(values.json === true ? `${JSON.stringify({ findings }, null, 2)}\n` : showFindings(findings));
    return findings.some(({ level }) => level === "failure") ? EXIT.failed : EXIT.done;
  },
};
