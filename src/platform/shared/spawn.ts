/** The `Spawn` port over `node:child_process`: three pipes, back-pressure, one exit. What runs in them is not its matter. */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ChildExit, Spawn } from "../../ports.ts";

/** What a shell says when a command cannot be started; used when the operating system refuses the process. */
const CANNOT_START = 127;

/**
 * Creates the port. `toArguments` gives what the runtime's own executable needs to run a TypeScript file:
 * `["run", file]` for Bun. The child leads its own process group, so that Ctrl-C in a terminal reaches only the
 * gateway, which then ends its workers in order; a worker whose gateway died sees its standard input close.
 */
export function createSpawn(toArguments: (file: string) => readonly string[]): Spawn {
  return (module, args, options = {}) => {
    const child = spawn(process.execPath, [...toArguments(fileURLToPath(module)), ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
    });
    let gone: Error | undefined;
    const exited = new Promise<ChildExit>((resolve) => {
      child.once("exit", (code, signal) => {
        gone = new Error(`The child process ${child.pid} ended (${signal ?? code}).`);
        resolve(signal === null ? { code: code ?? 0, signal: null } : { code: null, signal });
      });
      child.once("error", (error) => {
        gone ??= error;
        if (child.pid === undefined) resolve({ code: CANNOT_START, signal: null });
      });
    });
    // A broken pipe is told to the writer by the callback below; without a listener it would end the gateway.
    child.stdin.on("error", () => {});
    return {
      pid: child.pid ?? -1,
      write: (bytes) =>
        new Promise((resolve, reject) => {
          if (gone !== undefined) reject(gone);
          else child.stdin.write(bytes, (error) => (error ? reject(error) : resolve()));
        }),
      stdout: child.stdout,
      stderr: child.stderr,
      exited,
      kill: (signal) => void child.kill(signal),
    };
  };
}
