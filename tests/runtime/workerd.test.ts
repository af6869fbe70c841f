/** The data plane on workerd itself, bundled as it would be deployed, and what the edge refuses. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, describe, test } from "node:test";
import { buildEdge } from "../../scripts/build-edge.ts";
import { findRuntime } from "../../scripts/runtimes.mjs";
import { toEnvironmentName } from "../../src/config.ts";
import { dataPlane } from "./data-plane.ts";
import type { Start } from "./start.ts";

const workerd = findRuntime("workerd");

/** The configuration of a self-hosted workerd: one worker, its Durable Object in memory, the local network allowed. */
const toConfig = (bindings: readonly string[]): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .gateway),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const gateway :Workerd.Worker = (
  modules = [(name = "workerd.js", esModule = embed "workerd.js")],
  compatibilityDate = "2026-07-01",
  compatibilityFlags = ["enable_request_signal", "request_signal_passthrough"],
  durableObjectNamespaces = [(className = "GatewayObject", uniqueKey = "gateway")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "TIDEGATE", durableObjectNamespace = "GatewayObject"), ${bindings.join(", ")}],
);
`;

/** workerd tells on its control pipe which port it took. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`workerd ended with ${code}`)));
    const lines = createInterface({ input: child.stdio[3] as NodeJS.ReadableStream });
    lines.on("line", (line) => {
      const message = JSON.parse(line) as { event?: string; port?: number };
      if (message.event === "listen" && message.port !== undefined) resolve(message.port);
    });
  });
}

let bundle = "";

const startOnWorkerd: Start = async (settings) => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-workerd-"));
  const bindings = Object.entries(settings).map(([field, value]) => {
    return `(name = "${toEnvironmentName(field)}", text = ${JSON.stringify(String(value))})`;
  });
  writeFileSync(join(folder, "workerd.js"), bundle);
  writeFileSync(join(folder, "config.capnp"), toConfig(bindings));
  const args = ["serve", join(folder, "config.capnp"), "--control-fd=3"];
  const child = spawn(workerd!, args, { stdio: ["ignore", "ignore", "inherit", "pipe"] });
  const port = await portOf(child);
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
};

if (workerd === undefined) {
  test("data plane on workerd", { skip: "no workerd for this machine" }, () => {});
} else {
  before(() => {
    bundle = readFileSync(buildEdge(), "utf8");
  });
  dataPlane("workerd", startOnWorkerd, {
    "a client that leaves before the answer cancels it upstream within a second":
      "workerd notices a client that left only when it writes to it; the deadline of the request ends the call",
  });
  describe("workerd", () => {
    test("an embedded model is refused by name", async () => {
      const gateway = await startOnWorkerd({ model: "models/tide-nano/base" });
      const response = await fetch(`${gateway.url}/v1/models`);
      const { error } = (await response.json()) as { error: { message: string; code: string } };
      assert.equal(error.code, "unsupported");
      assert.match(error.message, /--model.*workerd.*--upstream/);
      await gateway.stop();
    });
    test("the bundle needs nothing of Node", () => assert.doesNotMatch(bundle, /from\s*"node:/));
  });
}
