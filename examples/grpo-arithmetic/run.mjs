// `npm run example:grpo`: installs the packages when they are missing, then runs main.ts on the pinned Bun (or on Bun or Deno, when one of
// them runs this). Plain JavaScript without dependencies, since it runs before there are any.
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { install } from "../../scripts/install.mjs";
import { binaryOf, HOST } from "../../scripts/runtimes.mjs";

await install();
const main = fileURLToPath(new URL("main.ts", import.meta.url));
const [command, ...before] =
  HOST === "deno" ? [process.execPath, "run", "--allow-all"] : HOST === "bun" ? [process.execPath] : [binaryOf("bun")];
const child = spawn(command, [...before, main, ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));
