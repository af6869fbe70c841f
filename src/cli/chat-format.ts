/** `tidegate chat-format`: a chat format onto a model directory, on this machine; no gateway is needed. */
import {
  ChatFormatRequest,
  type ChatFormatResult,
  FORMAT_NAMES,
  LARGEST_MULTIPLE,
} from "../contract/control/chat-formats.ts";
import { GatewayError } from "../errors.ts";
import { applyChatFormat } from "../platform/checkpoints.ts";
import { EXIT } from "../platform/run.ts";
import type { Options } from "./arguments.ts";
import { createCommand } from "./command.ts";
import { type Command, OperationError, UsageError } from "./io.ts";

const OPTIONS: Options = {
  out: { value: "DIR", help: "The new directory. It appears whole or not at all. Required." },
  format: { value: "NAME", help: 'The format. Default, and the only one: "chatml".' },
  "resize-to-multiple-of": { value: "N", help: "Round the embedding rows up to a multiple of N." },
  seed: { value: "N", help: "Of the small noise in the new rows. Default: 0." },
  json: { help: "Print the result as JSON." },
};

/** A whole number within the contract's bounds. */
function toInteger(name: string, value: unknown, least: number, most: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^-?\d{1,15}$/.test(String(value)) && number >= least && number <= most) return number;
  const range = name === "seed" ? "" : ` from ${least} to ${most}`;
  throw new UsageError(`--${name} must be an integer${range}, got "${value}"`);
}

/** Field of the request → option of the command. */
const OPTION_OF: Readonly<Record<string, string>> = {
  model: "DIR",
  output: "--out",
  format: "--format",
  resize_to_multiple_of: "--resize-to-multiple-of",
  seed: "--seed",
};

function toRequest(model: string, values: Readonly<Record<string, unknown>>): ChatFormatRequest {
  if (typeof values.out !== "string") throw new UsageError("--out is missing: the path of a new directory");
  if (values.format !== undefined && !FORMAT_NAMES.some((name) => name === values.format)) {
    throw new UsageError(`--format must be one of ${FORMAT_NAMES.join(", ")}, got "${values.format}"`);
  }
  const parsed = ChatFormatRequest.safeParse({
    model,
    output: values.out,
    ...(values.format === undefined ? {} : { format: values.format }),
    resize_to_multiple_of:
      toInteger("resize-to-multiple-of", values["resize-to-multiple-of"], 1, LARGEST_MULTIPLE) ?? null,
    seed: toInteger("seed", values.seed, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER) ?? 0,
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UsageError(`${OPTION_OF[String(issue?.path[0])] ?? "arguments"}: ${issue?.message ?? "not accepted"}`);
}

function showResult({ output, token_ids, tokens, embedding_rows: rows, files }: ChatFormatResult): string {
  const ids = Object.entries(token_ids).map(([name, id]) => `${name} ${id}`);
  return [
    output,
    `  special tokens   ${ids.join(", ")}`,
    `  tokens           ${tokens}`,
    `  embedding rows   ${rows.before} → ${rows.after}`,
    `  files            ${files.join(", ")}`,
    "",
  ].join("\n");
}

/** The command. Ends with 2 for what was typed wrong, with 4 when the directory cannot be read or written. */
export const chatFormat: Command = createCommand({
  summary: "Set up a model directory for chat.",
  usage: "chat-format DIR --out DIR [options]",
  about:
    "Writes a copy of a Hugging Face model directory that is set up for chat, as TRL's setup_chat_format does it:\n" +
    "special tokens and their ids, the template, an embedding of the right size. DIR is only read.",
  options: OPTIONS,
  positionals: { least: 1, most: 1, called: "DIR" },
  async run({ values, positionals }, io) {
    const request = toRequest(positionals[0]!, values);
    const stop = new AbortController();
    const unsubscribe = io.onInterrupt(() => stop.abort(new OperationError("interrupted; nothing was written")));
    try {
      const { files, random } = io.ports;
      const result = await applyChatFormat(files!, request, { random, signal: stop.signal });
      io.out(values.json === true ? `${JSON.stringify(result, null, 2)}\n` : showResult(result));
      return EXIT.done;
    } catch (error) {
      throw error instanceof GatewayError ? new OperationError(error.message) : error;
    } finally {
      unsubscribe();
    }
  },
});
