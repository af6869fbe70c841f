/** The program as a user starts it: through the start script, with signals, and with what can go wrong at once. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { binaryOf } from "../../scripts/runtimes.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bun = binaryOf("bun");

interface Started {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves with the first log line that matches. */
  seen(pattern: RegExp): Promise<string>;
  readonly exited: Promise<number | null>;
}

function start(args: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn(bun, ["run", "scripts/run.mjs", "start", ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, ...env },
  });
  const lines: string[] = [];
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  createInterface({ input: child.stderr! })
    .on("line", (line) => {
      lines.push(line);
      wake();
    })
    .on("close", wake);
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  void exited.then(wake);
  return {
    child,
    lines,
    exited,
    async seen(pattern) {
      for (;;) {
        const line = lines.find((one) => pattern.test(one));
        if (line !== undefined) return line;
        if (child.exitCode !== null) throw new Error(`ended without ${pattern}:\n${lines.join("\n")}`);
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("starting and ending", () => {
  test("SIGTERM to the start script drains the server, ends its worker and exits with 0", async () => {
    const started = start(["--port", "0", "--log-format", "json", "--drain-timeout", "5"]);
    const listening = JSON.parse(await started.seen(/listening on/)) as { message: string };
    const url = listening.message.replace("listening on ", "");
    // It listens before the model is there, and says so.
    assert.equal((await fetch(`${url}/livez`)).status, 200);
    await started.seen(/"message":"ready"/);
    const { servers } = (await (await fetch(`${url}/api/servers`)).json()) as {
      servers: { details: { pid?: number } }[];
    };
    const pid = servers[0]?.details.pid;
    started.child.kill("SIGTERM");
    assert.equal(await started.exited, 0);
    assert.ok(started.lines.some((line) => line.includes('"draining"')));
    if (typeof pid === "number") assert.ok(!isAlive(pid), `worker ${pid} lives on`);
    await assert.rejects(fetch(`${url}/livez`));
  });

  test("a port that is taken: exit 3 and the flag that moves it", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const started = start(["--port", String(port)]);
    assert.equal(await started.exited, 3);
    assert.match(started.lines.join("\n"), new RegExp(`port ${port} is taken; choose another with --port`));
    other.close();
  });

  test("a model that is not there: exit 3 and its path", async () => {
    const started = start(["--port", "0", "--model", "/nowhere/to/be/found"]);
    assert.equal(await started.exited, 3);
    assert.match(started.lines.join("\n"), /tidegate: .*\/nowhere\/to\/be\/found/);
  });

  test("a tokenizer that does not match the model: exit 3, the token and both numbers", async () => {
    const directory = await mkdtemp(join(tmpdir(), "tidegate-vocabulary-"));
    try {
      await cp(fileURLToPath(new URL("../fixtures/vllm/tiny", import.meta.url)), directory, { recursive: true });
      const file = join(directory, "tokenizer.json");
      const tokenizer = JSON.parse(await readFile(file, "utf8")) as { added_tokens: unknown[] };
      tokenizer.added_tokens.push({ id: 512, content: "<|extra|>", special: true });
      await writeFile(file, JSON.stringify(tokenizer));
      const started = start(["--port", "0", "--model", directory]);
      assert.equal(await started.exited, 3);
      assert.match(
        started.lines.join("\n"),
        /embeddings have 512 rows .* 1 token has an id beyond them: "<\|extra\|>" = 512/,
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("upstreams that never answer: exit 3 and which", async () => {
    const started = start(["--port", "0", "--upstream", "http://127.0.0.1:9", "--upstream-wait", "0.5"]);
    assert.equal(await started.exited, 3);
    assert.match(started.lines.join("\n"), /http:\/\/127\.0\.0\.1:9/);
  });

  test("a configuration that is wrong: exit 2 and what is accepted", async () => {
    const started = start([], { TIDEGATE_PORT: "many" });
    assert.equal(await started.exited, 2);
    assert.match(started.lines.join("\n"), /TIDEGATE_PORT must be a whole number from 0 to 65535, got "many"/);
    const open = start(["--host", "0.0.0.0"]);
    assert.equal(await open.exited, 2);
    assert.match(open.lines.join("\n"), /--api-key/);
  });
});
