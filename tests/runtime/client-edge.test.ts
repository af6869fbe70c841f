/** The client where there is no Node: what it imports, and a generation from inside workerd. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { findRuntime } from "../../scripts/runtimes.mjs";
import { startFakeVllm } from "../fakes/vllm-server.ts";
import { importsOf } from "../rules/import-ranks.ts";
import { ROOT } from "../rules/source.ts";
import { bundleClient } from "../support/bundle-client.ts";

/** Asks the server named in the query, and answers with what came. */
const WORKER = `
import { ServerError, VLLMClient } from "client.js";
export default {
  async fetch(request) {
    const client = new VLLMClient({ baseUrl: new URL(request.url).searchParams.get("server") });
    await client.checkServer({ totalTimeout: 0 });
    const [completion] = await client.generateDetailed(["a"], { max_tokens: 3 });
    const [answer] = await client.chat([{ role: "user", content: "hi" }], { max_tokens: 3 });
    const refused = await client.generate(["a"], { temperature: -1 }).catch((error) => error);
    const { kind } = await client.serverFacts();
    return Response.json({ kind, tokens: completion.tokenIds.length, answer, refused: refused instanceof ServerError });
  },
};`;

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "client.js", esModule = embed "client.js"),
  ],
  compatibilityDate = "2026-07-01",
);
`;

describe("the client away from Node", () => {
  test("reaches no module of a runtime and no package when it is imported", () => {
    const waiting = ["src/client/mod.ts"];
    const reached = new Set(waiting);
    for (const file of waiting) {
      const text = readFileSync(join(ROOT, file), "utf8");
      // A type import is gone when it runs.
      const code = text.replaceAll(/^(import|export) type [^;]*;/gm, "");
      for (const specifier of importsOf(file, code)) {
        assert.ok(specifier.startsWith("."), `${file} imports ${specifier}`);
        const path = posix.join(posix.dirname(file), specifier);
        assert.match(path, /^src\/(client|lib|tensor|errors\.ts)/, `${file} imports ${specifier}`);
        if (!reached.has(path)) waiting.push(path);
        reached.add(path);
      }
    }
    assert.ok(reached.has("src/client/http.ts"));
  });

  const workerd = findRuntime("workerd");
  test("generates and chats inside workerd", { skip: workerd === undefined }, async () => {
    const fake = await startFakeVllm({ name: "a" });
    const folder = mkdtempSync(join(tmpdir(), "tidegate-client-"));
    writeFileSync(join(folder, "client.js"), bundleClient());
    writeFileSync(join(folder, "worker.js"), WORKER);
    writeFileSync(join(folder, "config.capnp"), CONFIG);
    const args = ["serve", join(folder, "config.capnp"), "--control-fd=3"];
    const child = spawn(workerd as string, args, { stdio: ["ignore", "ignore", "inherit", "pipe"] });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      const port = await new Promise<number>((resolve, reject) => {
        child.once("exit", (code) => reject(new Error(`workerd ended with ${code}`)));
        createInterface({ input: child.stdio[3] as NodeJS.ReadableStream }).on("line", (line) => {
          const message = JSON.parse(line) as { port?: number };
          if (message.port !== undefined) resolve(message.port);
        });
      });
      const answer = await fetch(`http://127.0.0.1:${port}/?server=${encodeURIComponent(fake.url)}`);
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      const { answer: chat, ...rest } = JSON.parse(text) as Record<string, unknown>;
      assert.equal(typeof chat, "string");
      assert.deepEqual(rest, { kind: "vllm", tokens: 3, refused: true });
    } finally {
      child.kill("SIGKILL");
      await ended;
      await fake.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
