/**
 * The pipe to the parent process, from a worker's side: frames in on standard input, an end with a last word, and an end
 * as soon as the parent is gone. Knows no message but what its caller makes of it.
 */
import process from "node:process";
import { FrameReader } from "./frame.ts";

/** The exit codes the parent shows: something unforeseen, or the pipe carried what is no frame. */
export const EXIT = { failed: 70, protocol: 76 } as const;

/** A worker's view of its parent. */
export interface Parent {
  /** Ends the process with a last word on standard error, which the parent logs. Written at once: the process ends after it. */
  die(code: number, reason: unknown): never;
  /** Hands every message to `handle` from now on. Ends the process when the parent is gone or nobody caught an error. */
  serve<Message>(handle: (message: Message) => void): void;
}

/** `name` begins the last word. */
export function createParent(name: string): Parent {
  const { stdin, stdout, stderr } = process;
  const die = (code: number, reason: unknown): never => {
    stderr.write(`${name}: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`);
    return process.exit(code);
  };
  return {
    die,
    serve(handle) {
      const reader = new FrameReader();
      stdin.on("data", (chunk: Uint8Array) => {
        let messages: unknown[];
        try {
          messages = reader.push(chunk);
        } catch (error) {
          return die(EXIT.protocol, error instanceof Error ? error.message : error);
        }
        for (const message of messages) handle(message as never);
      });
      // Without a parent nobody is left to answer, an orphan would hold the model's memory, and the peers of a group
      // would wait for a rank that nobody drives.
      for (const event of ["end", "close", "error"] as const) stdin.on(event, () => process.exit(0));
      stdout.on("error", () => process.exit(0));
      // A terminal's Ctrl-C reaches the whole group; the parent ends its workers in order.
      process.on("SIGINT", () => {});
      process.on("uncaughtException", (error) => die(EXIT.failed, error));
      process.on("unhandledRejection", (error) => die(EXIT.failed, error));
    },
  };
}
