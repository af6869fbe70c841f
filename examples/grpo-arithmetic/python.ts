/** Runs the Python trainer: in the interpreter of GRPO_PYTHON, else in a virtual environment that is made when it is missing. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LogLine } from "./log.ts";
import type { TrainOptions } from "./typescript/train.ts";

const here = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Runs to the end; standard output line by line. Rejects when it does not end with 0. */
function run(command: string, args: readonly string[], onText: (line: string) => void): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  createInterface({ input: child.stdout }).on("line", onText);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
  });
}

/** An interpreter that has torch. */
async function findPython(): Promise<string> {
  const given = process.env.GRPO_PYTHON;
  if (given !== undefined && given !== "") return given;
  const environment = here("../../.tidegate/grpo-venv");
  const python = `${environment}/bin/python`;
  if (existsSync(`${environment}/ready`)) return python;
  console.error(`making ${environment} (torch is large; this is done once)`);
  await run("python3", ["-m", "venv", environment], console.error);
  await run(python, ["-m", "pip", "install", "--quiet", "-r", here("python/requirements.txt")], console.error);
  await run(python, ["-c", `open(${JSON.stringify(`${environment}/ready`)}, "w").close()`], console.error);
  return python;
}

/** As `train` of the TypeScript trainer, by the Python one. */
export async function runPython(options: TrainOptions): Promise<void> {
  const { url, model, seed, steps, prompts, samples, rate, updates, evaluateEvery, onLine } = options;
  const flags = { url, model, seed, steps, prompts, samples, rate, updates, "evaluate-every": evaluateEvery };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  await run(await findPython(), [here("python/train.py"), ...args], (line) => {
    if (line.startsWith("{")) onLine(JSON.parse(line) as LogLine);
    else console.log(line);
  });
}
