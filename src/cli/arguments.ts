/** Command lines: `node:util` parses, this file words the complaints and the help. Knows no command. */
import { parseArgs } from "node:util";
import { UsageError } from "./io.ts";

/** One option of a command. `value` is what stands for its value in the help; without it the option is a switch. */
export interface Option {
  readonly help: string;
  readonly value?: string;
  readonly repeatable?: boolean;
}

/** Options by their name without the dashes. */
export type Options = Readonly<Record<string, Option>>;

/** What was typed: a list for repeatable options, a string or true else. */
export interface Parsed {
  readonly values: Readonly<Record<string, string | boolean | string[] | undefined>>;
  readonly positionals: readonly string[];
}

/** How many positional arguments a command takes, and what they are called when one is missing. */
export interface Positionals {
  readonly least: number;
  readonly most: number;
  readonly called: string;
}

const NO_POSITIONALS: Positionals = { least: 0, most: 0, called: "" };

/** Every command understands it. */
export const HELP: Options = { help: { help: "Show this text." } };

/** Edit distance, for "did you mean". Both words are short: they are names of options or commands. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}

/** The nearest known word when it is near enough to be what was meant. */
export function toSuggestion(word: string, known: readonly string[]): string | undefined {
  const bound = Math.max(2, Math.floor(word.length / 3));
  const near = known.map((name) => ({ name, far: distance(word, name) })).filter(({ far }) => far <= bound);
  return near.sort((a, b) => a.far - b.far)[0]?.name;
}

/**
 * `--max-logprobs -1` as vLLM's command line takes it: `node:util` holds what begins with a dash for an option, which no
 * negative number is.
 */
function joinNegative(args: readonly string[], options: Options): string[] {
  const out: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] as string;
    if (arg === "--") return [...out, ...args.slice(index)];
    const next = args[index + 1];
    const takesValue = arg.startsWith("--") && options[arg.slice(2)]?.value !== undefined;
    if (takesValue && next !== undefined && /^-\.?\d/.test(next)) {
      out.push(`${arg}=${next}`);
      index += 1;
    } else out.push(arg);
  }
  return out;
}

/** Parses; throws UsageError that names the option and, where one is near, the one that was meant. */
export function parseArguments(
  args: readonly string[],
  options: Options,
  positionals: Positionals = NO_POSITIONALS,
): Parsed {
  const known = { ...options, ...HELP };
  for (const arg of args) {
    if (arg === "--") break;
    const name = /^--([^=]+)/.exec(arg)?.[1];
    if (name === undefined || known[name] !== undefined) continue;
    const meant = toSuggestion(name, Object.keys(known));
    throw new UsageError(`unknown option --${name}${meant === undefined ? "" : `; did you mean --${meant}?`}`);
  }
  let parsed: Parsed;
  try {
    parsed = parseArgs({
      args: joinNegative(args, known),
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(known).map(([name, { value, repeatable }]) => [
          name,
          { type: value === undefined ? ("boolean" as const) : ("string" as const), multiple: repeatable === true },
        ]),
      ),
    }) as Parsed;
  } catch (error) {
    // Node adds hints about "--" on further lines; the first says what is wrong.
    throw new UsageError(String((error as Error).message).split("\n")[0] ?? "unreadable arguments");
  }
  if (parsed.values.help === true) return parsed;
  const count = parsed.positionals.length;
  if (count < positionals.least || count > positionals.most) {
    const extra = parsed.positionals[positionals.most];
    throw new UsageError(extra === undefined ? `${positionals.called} is missing` : `unexpected argument "${extra}"`);
  }
  return parsed;
}

/** The help of a command: usage line, what it does, one line per option. */
export function toHelp(usage: string, about: string, options: Options): string {
  const rows = Object.entries({ ...options, ...HELP }).map(([name, { value, help, repeatable }]) => ({
    left: `  --${name}${value === undefined ? "" : ` ${value}`}${repeatable === true ? " …" : ""}`,
    help,
  }));
  const width = Math.min(34, Math.max(...rows.map(({ left }) => left.length)) + 2);
  const lines = rows.map(({ left, help }) =>
    left.length + 2 > width ? `${left}\n${" ".repeat(width)}${help}` : `${left.padEnd(width)}${help}`,
  );
  return `Usage: tidegate ${usage}\n\n${about}\n\nOptions:\n${lines.join("\n")}\n`;
}
