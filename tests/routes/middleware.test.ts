import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STAMP } from "../support/fake-gateway.ts";
import { chunked, createHttpApp } from "../support/http-app.ts";

const KEYS = { apiKey: ["trainer=trainer-key:weights+read", "reader=reader-key:read", "all=all-powerful"] };
const bearer = (key: string): RequestInit => ({ headers: { authorization: `Bearer ${key}` } });
const hi = { model: "tiny", messages: [{ role: "user", content: "hi" }] };

/** Resolves when the call's own signal aborts, with the reason; as an engine that is asked to stop does. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

describe("request id", () => {
  test("a sane one of the caller is kept, on good answers and bad", async () => {
    const app = createHttpApp();
    for (const path of ["/livez", "/nowhere", "/api/servers/none", "/v1/nothing"]) {
      const response = await app.request(path, { headers: { "x-request-id": "step-4/rollout:7" } });
      assert.equal(response.headers.get("x-request-id"), "step-4/rollout:7", path);
    }
  });

  for (const bad of ["", "a b", "ü", "x".repeat(129), 'quo"te']) {
    test(`${JSON.stringify(bad.slice(0, 10))} is replaced`, async () => {
      const app = createHttpApp();
      const headers = new Headers();
      try {
        headers.set("x-request-id", bad);
      } catch {
        return;
      }
      const response = await app.request("/livez", { headers });
      assert.match(response.headers.get("x-request-id") ?? "", /^00000000-0000-4000-8000-/);
    });
  }

  test("is in the problem body and in the log line", async () => {
    const app = createHttpApp();
    const response = await app.request("/api/servers/none", { headers: { "x-request-id": "abc" } });
    const body = (await response.json()) as { request_id: string };
    assert.equal(body.request_id, "abc");
    const line = app.lines.map((text) => JSON.parse(text)).find((one) => one.message === "request");
    assert.equal(line.request_id, "abc");
    assert.equal(line.status, 404);
  });
});

describe("keys", () => {
  for (const syncHash of [true, false]) {
    test(`with ${syncHash ? "incremental" : "web"} SHA-256`, async () => {
      const app = createHttpApp({ config: KEYS }, { syncHash });
      assert.equal((await app.request("/api/fleet", bearer("reader-key"))).status, 200);
      assert.equal((await app.request("/api/fleet", bearer("all-powerful"))).status, 200);
      assert.equal((await app.request("/api/fleet", bearer("reader-kez"))).status, 401);
      assert.equal((await app.request("/api/fleet", bearer("reader-ke"))).status, 401);
      assert.equal((await app.request("/api/fleet")).status, 401);
      assert.equal((await app.request("/livez")).status, 200);
    });
  }

  test("401 asks for a bearer key, in the dialect that was spoken", async () => {
    const app = createHttpApp({ config: KEYS });
    const ours = await app.request("/api/fleet");
    assert.equal(ours.headers.get("www-authenticate"), "Bearer");
    assert.equal(ours.headers.get("content-type"), "application/problem+json");
    const openai = await app.send("POST", "/v1/chat/completions", hi);
    assert.equal(openai.status, 401);
    const body = (await openai.json()) as { error: { type: string; code: number } };
    assert.deepEqual([body.error.type, body.error.code], ["AuthenticationError", 401]);
    assert.ok(openai.headers.get("x-request-id"));
  });

  test("403 names the scope that is missing", async () => {
    const app = createHttpApp({ config: KEYS });
    const response = await app.send("POST", "/v1/chat/completions", hi, { authorization: "Bearer reader-key" });
    assert.equal(response.status, 403);
    assert.match(await response.text(), /scope \\"generate\\"/);
  });

  test("no key, no check: everyone is anonymous", async () => {
    const app = createHttpApp();
    assert.equal((await app.request("/api/audit")).status, 200);
  });

  test("a key never reaches a log line", async () => {
    const app = createHttpApp({ config: KEYS });
    await app.request("/api/fleet", bearer("wrong-secret-key"));
    await app.request("/api/fleet", { headers: { authorization: "Basic wrong-secret-key" } });
    assert.ok(app.lines.length > 0);
    assert.ok(!app.lines.join("\n").includes("wrong-secret-key"));
  });
});

describe("deadline", () => {
  test("x-request-timeout ends the call with 504, in the caller's dialect", async () => {
    const app = createHttpApp({ over: { generation: { dispatch: (call) => untilAborted(call.signal) } } });
    const pending = app.send("POST", "/v1/chat/completions", hi, { "x-request-timeout": "2.5" });
    await app.clock.advance(2400);
    await app.clock.advance(200);
    const response = await pending;
    assert.equal(response.status, 504);
    const body = (await response.json()) as { error: { message: string; type: string } };
    assert.equal(body.error.type, "DeadlineExceededError");
    assert.match(body.error.message, /2\.5 s/);
  });

  test("without the header the configured time counts", async () => {
    const app = createHttpApp({
      config: { requestTimeout: 7 },
      over: { generation: { dispatch: (call) => untilAborted(call.signal) } },
    });
    const pending = app.send("POST", "/v1/chat/completions", hi);
    await app.clock.advance(7001);
    assert.equal((await pending).status, 504);
  });

  test("an answered call leaves no timer behind", async () => {
    const app = createHttpApp();
    await app.request("/api/fleet");
    // One tick looks whether any call is left; then nothing runs.
    await app.clock.advance(100);
    assert.equal(app.clock.pending, 0);
  });

  test("a stream keeps its deadline", async () => {
    let signal: AbortSignal | undefined;
    const app = createHttpApp({
      upstream: (call) => {
        signal = call.signal;
        return new Response("data: x\n\n", { headers: { "content-type": "text/event-stream" } });
      },
    });
    await app.send("POST", "/v1/chat/completions", { ...hi, stream: true }, { "x-request-timeout": "3" });
    assert.equal(signal?.aborted, false);
    await app.clock.advance(3001);
    assert.equal(signal?.aborted, true);
  });

  for (const bad of ["soon", "0", "-1", "86401", "1e3"]) {
    test(`${bad} is refused by name`, async () => {
      const response = await createHttpApp().request("/api/fleet", { headers: { "x-request-timeout": bad } });
      assert.equal(response.status, 400);
      const body = (await response.json()) as { code: string; param: string };
      assert.deepEqual([body.code, body.param], ["invalid_value", "x-request-timeout"]);
    });
  }
});

describe("a leaving client", () => {
  test("aborts the call's signal", async () => {
    let reason: unknown;
    const app = createHttpApp({
      over: {
        generation: {
          dispatch: (call) =>
            untilAborted(call.signal).catch((error) => {
              reason = error;
              throw error;
            }),
        },
      },
    });
    const client = new AbortController();
    const pending = app.request("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(hi),
      signal: client.signal,
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.abort();
    assert.equal((await pending).status, 499);
    assert.equal((reason as { code: string }).code, "client_closed");
    assert.match(app.gateway.metrics.expose(), /clients_left_total\{route="\/v1\/chat\/completions"\} 1/);
  });

  test("an abort after a complete answer means nothing (Deno's legacy behaviour)", async () => {
    let signal: AbortSignal | undefined;
    const app = createHttpApp({
      upstream: (call) => {
        signal = call.signal;
        return Response.json({});
      },
    });
    const client = new AbortController();
    await app.request("/v1/chat/completions", { method: "POST", body: JSON.stringify(hi), signal: client.signal });
    client.abort();
    assert.equal(signal?.aborted, false);
    assert.ok(!app.gateway.metrics.expose().includes("clients_left_total{"));
  });
});

describe("body limit", () => {
  const config = { maxBodyBytes: 1024 };

  test("by the stated length", async () => {
    const app = createHttpApp({ config });
    const response = await app.request("/api/servers", {
      method: "POST",
      headers: { "content-length": "1025", "content-type": "application/json" },
      body: "x".repeat(1025),
    });
    assert.equal(response.status, 413);
    assert.match(((await response.json()) as { detail: string }).detail, /1024 bytes/);
  });

  test("by counting where no length is stated", async () => {
    const app = createHttpApp({ config });
    const response = await app.request("/api/servers", chunked(new Uint8Array(1000), new Uint8Array(1000)));
    assert.equal(response.status, 413);
  });

  test("a body of unknown length within the limit arrives whole", async () => {
    const app = createHttpApp({ config });
    const text = new TextEncoder().encode(JSON.stringify({ url: "http://127.0.0.1:1" }));
    const response = await app.request("/api/servers", chunked(text.subarray(0, 5), text.subarray(5)));
    assert.equal(response.status, 201);
  });

  test("weights are exempt", async () => {
    let received = 0;
    const app = createHttpApp({
      config,
      over: {
        syncs: {
          start: async (_request, _by, upload) => {
            for await (const piece of upload ?? []) received += piece.byteLength;
            throw new Error("seen enough");
          },
        },
      },
    });
    await app.request("/api/weight-syncs", {
      ...chunked(new Uint8Array(2000), new Uint8Array(2000)),
      headers: { "content-type": "application/octet-stream" },
    });
    assert.equal(received, 4000);
  });
});

describe("draining", () => {
  const app = createHttpApp({ over: { draining: true } });

  test("new calls get 503 and are sent away", async () => {
    const response = await app.send("POST", "/v1/chat/completions", hi);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("connection"), "close");
    assert.ok(Number(response.headers.get("retry-after")) > 0);
  });

  test("operational routes still answer", async () => {
    assert.equal((await app.request("/livez")).status, 200);
    assert.equal((await app.request("/metrics")).status, 200);
    assert.equal((await app.request("/readyz")).status, 503);
  });

  test("weight calls get no status that clients repeat", async () => {
    const response = await app.send("POST", "/api/weight-syncs", { source: { kind: "disk", path: "x" } });
    assert.equal(response.status, 409);
  });
});

describe("metrics and log", () => {
  test("count by pattern, never by raw path", async () => {
    const app = createHttpApp();
    await app.request("/api/servers/embedded-0");
    await app.request("/api/servers/nobody");
    await app.request("/secret/path/1");
    await app.request("/secret/path/2");
    const text = app.gateway.metrics.expose();
    assert.match(text, /requests_total\{route="\/api\/servers\/\{id\}",method="GET",status="200"\} 1/);
    assert.match(text, /requests_total\{route="\/api\/servers\/\{id\}",method="GET",status="404"\} 1/);
    assert.match(text, /requests_total\{route="unmatched",method="GET",status="404"\} 2/);
    assert.ok(!text.includes("secret"));
    assert.match(text, /tidegate_http_requests_in_flight 0/);
  });

  test("an unknown method is one label", async () => {
    const app = createHttpApp();
    await app.request("/livez", { method: "PROPFIND" });
    assert.match(app.gateway.metrics.expose(), /method="OTHER"/);
  });

  test("an accident is 500 without its message; the log has the cause", async () => {
    const app = createHttpApp({
      over: {
        fleet: {
          snapshot: () => {
            throw new Error("the very reason");
          },
        },
      },
    });
    const response = await app.request("/api/fleet");
    assert.equal(response.status, 500);
    assert.ok(!(await response.text()).includes("the very reason"));
    assert.ok(app.lines.some((line) => line.includes("the very reason")));
  });
});

describe("audit", () => {
  test("a weight call is written down with actor, action, id, outcome and sync", async () => {
    const app = createHttpApp({ config: KEYS });
    const response = await app.send(
      "POST",
      "/api/weight-syncs",
      { source: { kind: "disk", path: "x" } },
      { authorization: "Bearer trainer-key", "x-request-id": "r-1", prefer: "wait=5" },
    );
    assert.equal(response.status, 200);
    assert.deepEqual(app.audit, [
      {
        at: "1970-01-01T00:00:00.000Z",
        actor: "trainer",
        action: "POST /api/weight-syncs",
        request_id: "r-1",
        outcome: "200",
        sync: "ws_1",
      },
    ]);
  });

  test("so is a refused one, but no reading", async () => {
    const app = createHttpApp({ config: KEYS });
    await app.request("/api/weight-syncs", bearer("reader-key"));
    assert.equal(app.audit.length, 0);
    await app.send("POST", "/api/weight-syncs", {}, { authorization: "Bearer reader-key" });
    assert.equal(app.audit[0]?.outcome, "403");
  });
});

test("a forwarded answer keeps its stamps beside the id", async () => {
  const app = createHttpApp({ upstream: () => Response.json({ ok: true }) });
  const response = await app.send("POST", "/v1/chat/completions", hi);
  assert.equal(response.headers.get("x-served-by"), STAMP.replica);
  assert.ok(response.headers.get("x-request-id"));
});
