/** Starts `tidegate serve` as a stranger would, as a process of its own, and talks HTTP to it. */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
export const modelPath = (name: "base" | "trained"): string => `${repository}models/tide-nano/${name}`;

export interface Served {
  readonly url: string;
  readonly pid: number;
  /** Everything it wrote so far. */
  output(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** The arguments that run a source file on the runtime that runs this test. */
export function runArguments(file: string): string[] {
  if ("Deno" in globalThis) return ["run", "--quiet", "--allow-all", file];
  return "Bun" in globalThis ? ["run", file] : [file];
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the CLI to its end. */
export function cli(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [...runArguments("src/cli/main.ts"), ...args], {
    cwd: repository,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let output = "";
  const take = (bytes: Buffer): void => {
    output += bytes.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

/** Starts a gateway on a free port and resolves when every replica is ready. Rejects with its output when it ends before. */
export async function serve(
  args: readonly string[] = [],
  environment: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Served> {
  const child = spawn(process.execPath, [...runArguments("src/cli/main.ts"), "serve", "--port", "0", ...args], {
    cwd: repository,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let output = "";
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  let ended = false;
  void closed.then(() => {
    ended = true;
  });
  const take = (bytes: Buffer): void => {
    output += bytes.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const end = performance.now() + 60_000;
  let url: string | undefined;
  for (;;) {
    if (ended) throw new Error(`serve ended before it was ready:\n${output}`);
    if (performance.now() > end) {
      child.kill("SIGKILL");
      throw new Error(`serve was not ready within 60 s:\n${output}`);
    }
    url ??= /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
    if (url !== undefined) {
      const ready = await fetch(`${url}/api/fleet`, { headers }).then(
        async (response) => ((await response.json()) as { state?: string }).state === "ready",
        () => false,
      );
      if (ready) break;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    pid: child.pid ?? 0,
    output: () => output,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return closed;
    },
  };
}

/** A chat answer, as far as these tests read it. */
export interface ChatBody {
  readonly choices: readonly { readonly message: { readonly content: string } }[];
  readonly usage: { readonly completion_tokens: number };
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** Sends; the body is JSON of the type that the caller states. */
export async function json<T>(url: string, init?: RequestInit): Promise<Answer<T>> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === "" ? null : JSON.parse(text)) as T };
}

export const postJson = <T>(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> =>
  json<T>(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

/** Greedy chat; the text of the answer. */
export async function ask(url: string, question: string): Promise<{ text: string; version: string; digest: string }> {
  const { status, headers, body } = await postJson<ChatBody>(`${url}/v1/chat/completions`, {
    model: "tide-nano",
    messages: [{ role: "user", content: question }],
    temperature: 0,
  });
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return {
    text: body.choices[0]?.message.content ?? "",
    version: headers.get("x-weight-version") ?? "",
    digest: headers.get("x-weight-digest") ?? "",
  };
}

/** Runs `count` of `task` at a time over the items; results in order. */
export async function inParallel<T, R>(
  items: readonly T[],
  count: number,
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (next < items.length) {
        const index = next;
        next += 1;
        results[index] = await task(items[index] as T);
      }
    }),
  );
  return results;
}
