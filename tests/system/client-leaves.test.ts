/**
 * Clients that leave before the head of their streamed answer is there. Runtimes then drop the stream unread, without a
 * word to it: whatever the answer holds must end with the call. A lease that stays would keep every later weight sync
 * and every pause waiting.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startFakeVllm } from "../fakes/vllm-server.ts";
import { post, type Started, startHere, until } from "../runtime/start.ts";

const MODEL = fileURLToPath(new URL("../../models/tide-nano/base", import.meta.url));

/** Sends a request and closes the connection `milliseconds` later. */
function leave(url: string, path: string, body: unknown, milliseconds: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const text = JSON.stringify(body);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      const head = `POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n`;
      socket.write(`${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
      setTimeout(() => socket.destroy(), milliseconds);
    });
    socket.on("error", () => undefined).on("close", () => resolve());
  });
}

const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["/v1/completions", { prompt: "Hi", max_tokens: 100, ignore_eos: true }],
  ["/v1/completions", { prompt: [5, 6], max_tokens: 1, echo: true }],
  ["/v1/completions", { prompt: ["a", "b", "c"], max_tokens: 20 }],
  ["/v1/chat/completions", { messages: [{ role: "user", content: "Hi" }], max_tokens: 50 }],
];

async function inFlight({ url }: Started): Promise<number> {
  const { servers } = (await (await fetch(`${url}/api/servers`)).json()) as { servers: { in_flight: number }[] };
  return servers.reduce((sum, server) => sum + server.in_flight, 0);
}

async function leavesNothing(started: Started): Promise<void> {
  // Twenty moments around the one at which the head is ready.
  for (let moment = 0; moment < 20; moment += 1) {
    await Promise.all(
      CALLS.map(([path, body]) => leave(started.url, path, { model: "m", ...body, stream: true }, moment)),
    );
  }
  await until("no lease is held", async () => (await inFlight(started)) === 0);
  await until("no request is open", async () => {
    const text = await (await fetch(`${started.url}/metrics`)).text();
    return /^tidegate_http_requests_in_flight 1$/m.test(text) && /^tidegate_forwarded_streams 0$/m.test(text);
  });
  const paused = await fetch(`${started.url}/pause?mode=wait`, { method: "POST" });
  assert.equal(paused.status, 200, await paused.text());
  await (await fetch(`${started.url}/resume`, { method: "POST" })).text();
  const after = await post(`${started.url}/v1/completions`, { model: "m", prompt: "Hi", max_tokens: 1 });
  assert.equal(after.status, 200, await after.text());
}

describe("clients that leave before the head of a stream", () => {
  test("hold nothing of an embedded replica", async () => {
    const started = await startHere({ model: MODEL, servedModelName: "m" });
    try {
      await leavesNothing(started);
    } finally {
      await started.stop();
    }
  });

  test("hold nothing of a vLLM server", async () => {
    const server = await startFakeVllm({ models: ["m"], tokenDelayMs: 2 });
    const started = await startHere({ upstream: [server.url] });
    try {
      await leavesNothing(started);
    } finally {
      await started.stop();
      await server.stop();
    }
  });
});
