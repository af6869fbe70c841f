/** What all commands do before their own work: read the arguments, answer `--help`. Knows no command. */
import { EXIT } from "../platform/run.ts";
import { type Options, type Parsed, type Positionals, parseArguments, toHelp } from "./arguments.ts";
import type { Command, Io } from "./io.ts";

/** A command as its file describes it. */
export interface CommandForm {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The usage line behind "tidegate". */
  readonly usage: string;
  /** What it does, below the usage line. */
  readonly about: string;
  readonly options: Options;
  /** Default: none are taken. */
  readonly positionals?: Positionals;
  /** The command's own work; `help` was dealt with. Resolves with the exit code. */
  run(parsed: Parsed, io: Io): Promise<number>;
}

/** Builds the command. */
export function createCommand(form: CommandForm): Command {
  const help = (): string => toHelp(form.usage, form.about, form.options);
  return {
    summary: form.summary,
    help,
    async run(args, io) {
      const parsed = parseArguments(args, form.options, form.positionals);
      if (parsed.values.help !== true) return await form.run(parsed, io);
      io.out(help());
      return EXIT.done;
    },
  };
}
