#!/usr/bin/env -S node
/** The program `tidegate`: finds the command, runs it, turns what is thrown into an exit code. Runs on Bun, Deno and Node. */
import process from "node:process";
import { createInterface } from "node:readline";
import { GatewayError } from "../errors.ts";
import { EXIT } from "../platform/run.ts";
import { toSuggestion } from "./arguments.ts";
import { chat } from "./chat.ts";
import { chatFormat } from "./chat-format.ts";
import { doctor } from "./doctor.ts";
import { type Command, type Io, OperationError, UsageError } from "./io.ts";
import { offloadPlan } from "./offload-plan.ts";
import { openapi } from "./openapi.ts";
import { loadPlatform } from "./runtime.ts";
import { serve } from "./serve.ts";
import { servers } from "./servers.ts";
import { sync } from "./sync.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  serve,
  sync,
  servers,
  chat,
  "chat-format": chatFormat,
  "offload-plan": offloadPlan,
  doctor,
  openapi,
};

function help(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`);
  return `Usage: tidegate COMMAND [options]\n\nCommands:\n${lines.join("\n")}\n\n"tidegate COMMAND --help" tells more.\n`;
}

async function createIo(): Promise<Io> {
  return {
    ports: (await loadPlatform()).createPorts(),
    env: process.env,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal: process.stderr.isTTY === true,
    lines: () => createInterface({ input: process.stdin }),
    onInterrupt(listener) {
      process.on("SIGINT", listener);
      process.on("SIGTERM", listener);
      return () => {
        process.off("SIGINT", listener);
        process.off("SIGTERM", listener);
      };
    },
  };
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const io = await createIo();
  if (name === undefined || name === "--help" || name === "help") {
    io.out(help());
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) {
      const meant = toSuggestion(name, Object.keys(COMMANDS));
      throw new UsageError(`unknown command "${name}"${meant === undefined ? "" : `; did you mean "${meant}"?`}`);
    }
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError || error instanceof GatewayError) {
      io.err(`tidegate: ${error.message}\n`);
      return EXIT.usage;
    }
    if (error instanceof OperationError) {
      io.err(`tidegate: ${error.message}\n`);
      return EXIT.failed;
    }
    throw error;
  }
}

process.exitCode = await main(process.argv.slice(2));
// Sockets that are kept for reuse would hold the process for seconds. Output is written synchronously to files and
// terminals; a pipe needs one more turn to take the rest.
process.stdout.write("", () => process.exit());
