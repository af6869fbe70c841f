/** Repeats: only where they are safe, each with its reason; deadlines; the errors that come of them. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { ConnectionError, type RetryEvent, ServerError, VLLMClient, WeightSyncError } from "../../src/client/mod.ts";

type Step = (request: IncomingMessage, response: ServerResponse) => void;

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Step =>
  (_, response) =>
    void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const drop: Step = (request) => request.socket.destroy();
const hang: Step = () => undefined;

const COMPLETION = { choices: [{ index: 0, text: "hi" }] };
const busy = (seconds = "0"): Step => json(503, { error: { message: "starting" } }, { "retry-after": seconds });

describe("repeats", () => {
  let server: Server;
  let url = "";
  /** Answers to come, by method and path; the last one stays. */
  let script: Record<string, Step[]> = {};
  let seen: { readonly call: string; readonly key: string | undefined }[] = [];
  before(async () => {
    server = createServer((request, response) => {
      const call = `${request.method} ${(request.url ?? "").split("?")[0]}`;
      seen.push({ call, key: request.headers["idempotency-key"] as string | undefined });
      const steps = script[call];
      const step =
        steps === undefined ? json(404, { detail: "Not Found" }) : steps.length > 1 ? steps.shift() : steps[0];
      // Bun repeats by itself what was lost on a connection that it had kept: here every one is new.
      response.setHeader("connection", "close");
      request.resume();
      request.on("end", () => step?.(request, response));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  function start(steps: Record<string, Step[]>, options = {}): { client: VLLMClient; events: RetryEvent[] } {
    script = { "GET /version": [json(200, { version: "1", name: "tidegate" })], ...steps };
    seen = [];
    const events: RetryEvent[] = [];
    const client = new VLLMClient({ baseUrl: url, onRetry: (event) => events.push(event), ...options });
    return { client, events };
  }
  const calls = (name: string): number => seen.filter(({ call }) => call === name).length;

  test("a generation is repeated after 503, after a lost connection, and says why", async () => {
    const { client, events } = start({ "POST /v1/completions": [busy(), drop, json(200, COMPLETION)] });
    assert.deepEqual(await client.generate("a"), ["hi"]);
    assert.equal(calls("POST /v1/completions"), 3);
    assert.deepEqual([events[0]?.attempt, events[0]?.delaySeconds], [2, 0]);
    for (const { reason } of events) assert.match(reason, /^sampling changes nothing on the server/);
    // A lost connection is repeated by Deno itself, before anybody is asked.
    assert.deepEqual(
      events.slice(1).map(({ attempt, delaySeconds }) => [attempt, delaySeconds]),
      "Deno" in globalThis ? [] : [[3, 1]],
    );
    assert.equal(events[0]?.failure, "status 503");
  });

  test("an answer that would be the same again is not asked for again", async () => {
    for (const status of [400, 401, 404, 500, 504]) {
      const { client } = start({ "POST /v1/completions": [json(status, { error: { message: "no", code: "x" } })] });
      await assert.rejects(client.generate("a"), (error) => {
        assert.ok(error instanceof ServerError);
        assert.deepEqual([error.status, error.code], [status, "x"]);
        return true;
      });
      assert.equal(calls("POST /v1/completions"), 1);
    }
  });

  test("repeats are bounded, and a server that wants more patience than a minute is told to the caller", async () => {
    const first = start({ "POST /v1/completions": [busy()] }, { retries: 2 });
    await assert.rejects(first.client.generate("a"), { name: "ServerError", status: 503 });
    assert.equal(calls("POST /v1/completions"), 3);
    const second = start({ "POST /v1/completions": [busy("3600")] });
    await assert.rejects(second.client.generate("a"), { status: 503 });
    assert.equal(calls("POST /v1/completions"), 1);
  });

  test("a weight sync is never repeated on an answer, whatever it says", async () => {
    for (const status of [409, 424, 500, 502, 503]) {
      const problem = { detail: "no", code: "sync_failed", phase: "stage", replica: "embedded-1" };
      const { client } = start({ "POST /api/weight-syncs": [json(status, problem, { "retry-after": "0" })] });
      await assert.rejects(client.updateModelParams("/model"), (error) => {
        assert.ok(error instanceof WeightSyncError);
        assert.deepEqual(
          [error.status, error.code, error.phase, error.replica],
          [status, "sync_failed", "stage", "embedded-1"],
        );
        return true;
      });
      assert.equal(calls("POST /api/weight-syncs"), 1);
    }
  });

  const done = { id: "s", state: "completed", phase: "done", version: 4, digest: "sha256:0", servers: [] };

  test("a weight sync whose answer was lost is repeated under one Idempotency-Key; its state is read again", async () => {
    const { client, events } = start({
      "POST /api/weight-syncs": [drop, json(202, { ...done, state: "running", phase: "stage" })],
      "GET /api/weight-syncs/s": [drop, json(200, done)],
    });
    const { version } = await client.updateModelParams(new Uint8Array(16));
    assert.equal(version, 4);
    const keys = seen.filter(({ call }) => call === "POST /api/weight-syncs").map(({ key }) => key);
    assert.equal(keys.length, 2);
    assert.ok(keys[0] !== undefined && keys[0] === keys[1]);
    if ("Deno" in globalThis) return;
    assert.match(events[0]?.reason ?? "", /Idempotency-Key/);
    assert.match(events[1]?.reason ?? "", /reading changes nothing/);
  });

  test("a stream cannot be sent twice", async () => {
    const { client } = start({ "POST /api/weight-syncs": [drop] });
    const stream = new Blob([new Uint8Array(16)]).stream();
    await assert.rejects(client.updateModelParams(stream), ConnectionError);
    assert.equal(calls("POST /api/weight-syncs"), 1);
  });

  test("a refused connection is tried again for every call: nothing was seen of it", async () => {
    const events: RetryEvent[] = [];
    // A port that was free a moment ago.
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const options = { port, retries: 1, onRetry: (event: RetryEvent) => void events.push(event) };
    const client = new VLLMClient({ ...options, dialect: "tidegate" });
    await assert.rejects(client.generate("a"), (error) => {
      assert.ok(error instanceof ConnectionError);
      assert.match(error.message, new RegExp(`^No answer from http://127\\.0\\.0\\.1:${port}/`));
      return true;
    });
    assert.match(events[0]?.reason ?? "", /no connection came about/);
    await client.closeCommunicator();
  });

  test("every wait has a deadline, and an aborted signal rejects with its reason", async () => {
    const late = start({ "POST /v1/completions": [hang] }, { requestTimeout: 0.2 });
    await assert.rejects(late.client.generate("a"), (error) => {
      assert.ok(error instanceof ConnectionError);
      assert.match(error.message, /\/v1\/completions within 0\.2 s/);
      return true;
    });
    const slow = start({ "POST /reset_prefix_cache": [hang] }, { controlTimeout: 0.2 });
    await assert.rejects(slow.client.resetPrefixCache(), ConnectionError);
    const left = start({ "POST /v1/completions": [hang] });
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("enough")), 50);
    await assert.rejects(left.client.generate("a", {}, { signal: abort.signal }), /enough/);
    await assert.rejects(left.client.generate("a", {}, { signal: AbortSignal.abort(new Error("before")) }), /before/);
  });

  test("the first chat that fails ends the others", async () => {
    const { client } = start({ "POST /v1/chat/completions": [json(400, { error: { message: "bad" } }), hang] });
    const chats = Array.from({ length: 4 }, () => [{ role: "user", content: "a" }]);
    await assert.rejects(client.chat(chats), /bad/);
    await assert.rejects(
      client.chat([{ role: "user", content: "a" }], {}, { signal: AbortSignal.abort(new Error("own")) }),
      /own/,
    );
  });

  test("a sync that the caller gives up is given up at the gateway", async () => {
    const { client } = start({
      "POST /api/weight-syncs": [json(202, { ...done, state: "running" })],
      "GET /api/weight-syncs/s": [json(200, { ...done, state: "running" })],
      "DELETE /api/weight-syncs/s": [json(200, { ...done, state: "aborted" })],
    });
    const abort = new AbortController();
    const seenPhases: string[] = [];
    const onProgress = ({ phase }: { phase: string }): void => {
      seenPhases.push(phase);
      if (seenPhases.length === 2) abort.abort(new Error("enough"));
    };
    await assert.rejects(client.updateModelParams("/model", { onProgress, signal: abort.signal }), /enough/);
    assert.equal(calls("DELETE /api/weight-syncs/s"), 1);
  });

  test("an answer of other size than asked for is no answer", async () => {
    const { client } = start({ "POST /v1/completions": [json(200, COMPLETION)] });
    await assert.rejects(client.generate(["a", "b"]), /answered with 1 choices; 2 were asked for/);
    const broken = start({ "POST /v1/completions": [(_, response) => void response.end("<html>")] });
    await assert.rejects(broken.client.generate("a"), /with a body that is not JSON/);
  });
});
