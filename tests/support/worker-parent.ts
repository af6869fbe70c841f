/** A process that starts a worker, prints its pid, and lives until it is killed. Takes no argument. */
import process from "node:process";
import { loadPlatform } from "../../src/cli/runtime.ts";

const { spawn } = (await loadPlatform()).createPorts();
const child = spawn?.(new URL("../../src/worker/main.ts", import.meta.url), ["worker"]);
if (child === undefined) throw new Error("This runtime starts no processes.");
for await (const _ of child.stdout) {
  // The greeting: the worker reads its pipe by now.
  process.stdout.write(`${child.pid}\n`);
}
