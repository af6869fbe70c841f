/** What a command gets from the process that runs it. Tests put buffers in its place. */
import type { Ports } from "../ports.ts";

/** The terminal, the environment and the ports of one run of the program. */
export interface Io {
  readonly ports: Ports;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results: standard output. */
  out(text: string): void;
  /** Progress and complaints: standard error. */
  err(text: string): void;
  /** True when standard error is a terminal: then a progress bar may move. */
  readonly terminal: boolean;
  /** Lines of standard input. */
  lines(): AsyncIterable<string>;
  /** Calls `listener` on Ctrl-C or SIGTERM instead of ending; returns the unsubscribe function. */
  onInterrupt(listener: () => void): () => void;
}

/** One subcommand. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole help text, ending in a line break. */
  help(): string;
  /** Resolves with the exit code. Throws UsageError for what the user typed wrong. */
  run(args: readonly string[], io: Io): Promise<number>;
}

/** A mistake on the command line or in the configuration: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An operation that did not work out: exit code 4. */
export class OperationError extends Error {
  override readonly name = "OperationError";
}
