/** `tidegate chat`: a conversation in the terminal, token by token. */
import { EXIT } from "../platform/run.ts";
import type { Options } from "./arguments.ts";
import { CLIENT_OPTIONS, createClient, type GatewayClient } from "./client.ts";
import { createCommand } from "./command.ts";
import { readEvents } from "./events.ts";
import { type Command, type Io, OperationError, UsageError } from "./io.ts";

const OPTIONS: Options = {
  ...CLIENT_OPTIONS,
  model: { value: "NAME", help: "Model to talk to; default: the first of /v1/models." },
  system: { value: "TEXT", help: "System message." },
  "max-tokens": { value: "N", help: "Limit of one answer." },
  temperature: { value: "N", help: "0 always takes the most probable token. Default: the model's own." },
};

interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly error?: { readonly message?: string };
}

function toNumber(values: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new UsageError(`--${name} must be a number, got "${text}"`);
  return value;
}

async function firstModel(client: GatewayClient): Promise<string> {
  const body = (await (await client.send("GET", "/v1/models")).json()) as { data: readonly { id: string }[] };
  const id = body.data[0]?.id;
  if (id === undefined) throw new OperationError(`${client.url} serves no model now`);
  return id;
}

/** One turn: prints the answer while it comes and returns it whole. Ctrl-C ends the answer, not the program. */
async function answer(client: GatewayClient, body: object, io: Io): Promise<string> {
  const stop = new AbortController();
  const unsubscribe = io.onInterrupt(() => stop.abort());
  let text = "";
  try {
    const response = await client.send("POST", "/v1/chat/completions", {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: stop.signal,
    });
    for await (const event of readEvents(response)) {
      const chunk = event as Chunk;
      if (chunk.error !== undefined) throw new OperationError(chunk.error.message ?? "the answer broke off");
      const piece = chunk.choices?.[0]?.delta?.content ?? "";
      text += piece;
      io.out(piece);
    }
    const version = response.headers.get("x-weight-version");
    if (io.terminal && version !== null) io.err(`\u001b[2m  (weight version ${version})\u001b[0m`);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    unsubscribe();
  }
  io.out("\n");
  return text;
}

/** The command. */
export const chat: Command = createCommand({
  summary: "Talk to a model in the terminal.",
  usage: "chat [options]",
  about: "Talks to a model. /new forgets the conversation, /exit or end of input ends it.",
  options: OPTIONS,
  async run({ values }, io) {
    const maxTokens = toNumber(values, "max-tokens");
    const temperature = toNumber(values, "temperature");
    const client = createClient(values, io);
    const model = typeof values.model === "string" ? values.model : await firstModel(client);
    const system: Message[] = typeof values.system === "string" ? [{ role: "system", content: values.system }] : [];
    let messages: Message[] = system;
    const prompt = (): void => {
      if (io.terminal) io.err("> ");
    };
    if (io.terminal) io.err(`${model} at ${client.url}; /new, /exit\n`);
    prompt();
    for await (const line of io.lines()) {
      const content = line.trim();
      if (content === "/exit") break;
      if (content === "/new") messages = system;
      else if (content !== "") {
        const asked: Message[] = [...messages, { role: "user", content }];
        const limits = {
          ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
          ...(temperature === undefined ? {} : { temperature }),
        };
        const text = await answer(client, { model, messages: asked, stream: true, ...limits }, io);
        messages = [...asked, { role: "assistant", content: text }];
      }
      prompt();
    }
    return EXIT.done;
  },
});
