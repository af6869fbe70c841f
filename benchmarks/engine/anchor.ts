/** An anchor: a program that answers operations in JSON lines, after one line that says it is ready. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Engine, Measured, Operation } from "./operations.ts";

type Answer =
  | { readonly ready: string }
  /** A tool that is not installed; the reason is shown. */
  | { readonly skip: string }
  | { readonly error: string }
  /** It has nothing like the operation asked for. */
  | { readonly none: true }
  | Measured;

/** Why an anchor is left out. */
export class Skipped extends Error {}

/** Starts a program; rejects with `Skipped` where its tool is not installed. */
export async function startAnchor(
  name: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Engine> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
  let errors = "";
  child.stderr.on("data", (bytes: Buffer) => {
    errors = (errors + bytes.toString()).slice(-2000);
  });
  let fail: (reason: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  child.on("error", () => fail(new Skipped(`${program} cannot be started`)));
  child.on("close", (code) => fail(new Error(`${name} ended with code ${code}:\n${errors}`)));
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Answer> => {
    for (;;) {
      const line = await Promise.race([lines.next(), failed]);
      if (line.done === true) return await failed;
      // Libraries print what they like; answers begin with a brace.
      if (line.value.startsWith("{")) return JSON.parse(line.value) as Answer;
    }
  };
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await closed;
  };
  const first = await answer();
  if (!("ready" in first)) {
    await stop();
    throw new Skipped("skip" in first ? first.skip : JSON.stringify(first));
  }
  return {
    name,
    label: first.ready,
    async run(operation: Operation) {
      child.stdin.write(`${JSON.stringify(operation)}\n`);
      const said = await answer();
      if ("error" in said) throw new Error(`${name}: ${said.error}`);
      return "cpu" in said ? said : undefined;
    },
    stop,
  };
}
