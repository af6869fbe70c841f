/**
 * The whole loop by one command: starts a gateway with the small model of this repository, lets a trainer teach it sums through the
 * gateway's API, writes the log and draws it.
 *
 *   npm run example:grpo -- [--trainer typescript|python] [--steps N] [--seed N] [--prompts N] [--samples N] [--evaluate-every N]
 *                           [--rate X] [--url URL] [--out DIRECTORY]
 */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type LogLine, toSentence } from "./log.ts";
import { toPlot } from "./plot.ts";
import { runPython } from "./python.ts";
import { train } from "./typescript/train.ts";

const ROOT = new URL("../../", import.meta.url);
const path = (relative: string): string => fileURLToPath(new URL(relative, ROOT));

const { values } = parseArgs({
  options: {
    trainer: { type: "string", default: "typescript" },
    steps: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    prompts: { type: "string", default: "64" },
    samples: { type: "string", default: "8" },
    "evaluate-every": { type: "string", default: "5" },
    rate: { type: "string", default: "2e-4" },
    url: { type: "string" },
    out: { type: "string", default: path("examples/grpo-arithmetic/runs") },
  },
});

const natural = (name: "steps" | "seed" | "prompts" | "samples" | "evaluate-every"): number => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) {
    console.error(`--${name} must be a whole number from 1; got "${values[name]}".`);
    process.exit(2);
  }
  return value;
};

if (!(Number(values.rate) > 0)) {
  console.error(`--rate must be a positive number; got "${values.rate}".`);
  process.exit(2);
}

if (values.trainer !== "typescript" && values.trainer !== "python") {
  console.error(`--trainer must be typescript or python; got "${values.trainer}".`);
  process.exit(2);
}

interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

/** A gateway with one embedded replica, on a free port, as a process of its own. */
function startGateway(): Promise<Served> {
  const own = "Deno" in globalThis ? ["run", "--quiet", "--allow-all"] : [];
  const args = [...own, path("src/cli/main.ts"), "serve", "--port", "0", "--model", path("models/tide-nano/base")];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  process.on("exit", () => child.kill("SIGKILL"));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return new Promise((resolve, reject) => {
    let output = "";
    const read = (bytes: Buffer): void => {
      output += bytes.toString();
      const url = /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
      if (url === undefined) return;
      output = "";
      resolve({
        url,
        stop() {
          child.kill("SIGTERM");
          return ended;
        },
      });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}:\n${output}`)));
  });
}

// Ends what was started, too: the exit handlers do.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const { trainer } = values;
const settings = {
  steps: natural("steps"),
  seed: natural("seed"),
  prompts: natural("prompts"),
  samples: natural("samples"),
  evaluateEvery: natural("evaluate-every"),
  rate: Number(values.rate),
  updates: 4,
};
await mkdir(values.out, { recursive: true });
const log = `${values.out}/${trainer}.jsonl`;
await writeFile(log, "");
// Written as it comes: what was learned before an interruption can still be drawn.
const onLine = (line: LogLine): void => {
  appendFileSync(log, `${JSON.stringify(line)}\n`);
  console.log(toSentence(line));
};
const served = values.url === undefined ? await startGateway() : { url: values.url, stop: async () => undefined };
try {
  console.log(`gateway: ${served.url}`);
  const options = { ...settings, url: served.url, model: path("models/tide-nano/base"), root: ROOT, onLine };
  await (trainer === "typescript" ? train(options) : runPython(options));
} finally {
  await served.stop();
}
await writeFile(`${values.out}/${trainer}.svg`, toPlot(await readFile(log, "utf8")));
console.log(`log: ${log}\nplot: ${values.out}/${trainer}.svg`);
