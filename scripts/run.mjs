/**
 * `npm start`, `npm test`, `bun run start`, `deno task test` …: installs what is missing, then runs. Plain JavaScript
 * without dependencies, since it runs before there are any, on Node ≥ 20, Bun and Deno alike.
 *
 *   run.mjs start [options of tidegate serve]
 *   run.mjs test [test files]
 *   run.mjs exec COMMAND [arguments]     any tidegate command
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { install } from "./install.mjs";
import { ROOT, serverCommand } from "./runtimes.mjs";

/** Runs the program with our input and output, hands signals on, and ends as it ended. */
function become([command, ...args]) {
  const child = spawn(command, args, { stdio: "inherit", cwd: process.cwd() });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`cannot run ${command}: ${error.message}`);
    process.exit(3);
  });
  child.on("exit", (code, signal) => {
    // The shell's convention for a process that a signal ended.
    const numbers = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
    process.exit(code ?? 128 + (numbers[signal] ?? 0));
  });
}

const [task, ...args] = process.argv.slice(2);
const main = fileURLToPath(new URL("src/cli/main.ts", ROOT));
await install();
if (task === "start") become([...serverCommand(task), main, "serve", ...args]);
else if (task === "exec") become([...serverCommand(task), main, ...args]);
else if (task === "test") {
  const { runTests } = await import("./test.mjs");
  process.exit(await runTests(args));
} else {
  console.error("usage: run.mjs start|test|exec [arguments]");
  process.exit(2);
}
