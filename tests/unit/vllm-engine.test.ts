/** The vLLM engine against the fake vLLM server: first contact, forwarding, text and control. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { Prompt } from "../../src/contract/generation.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Fetch } from "../../src/ports.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";
import { clock, createEngine, live, plainFetch, refusal } from "./cases/vllm-rig.ts";

let fake: FakeVllm;
before(async () => {
  fake = await startFakeVllm({ worldSize: 4, models: ["tiny", "tiny-lora"] });
});
after(() => fake.stop());
afterEach(() => {
  fake.state.setFaults({});
  fake.state.answer = null;
  fake.state.tokenDelayMs = 0;
});

describe("vllm: first contact", () => {
  test("tells models, world size and version; weights are those of its start", async () => {
    const info = await createEngine(`${fake.url}/`).start({ signal: live() });
    assert.deepEqual(info, {
      models: [
        { id: "tiny", maxModelLen: 2048, root: "ckpt/tiny", parent: null },
        { id: "tiny-lora", maxModelLen: 2048, root: "ckpt/tiny-lora", parent: null },
      ],
      worldSize: 4,
      weightVersion: 0,
      weightDigest: null,
      details: { vllm_version: "0.32.0", dev_routes: true },
    });
  });

  test("without dev routes: one rank, and controls that say what is missing", async () => {
    const plain = await startFakeVllm({ devMode: false });
    const engine = createEngine(plain.url);
    const info = await engine.start({ signal: live() });
    assert.equal(info.worldSize, 1);
    assert.equal(info.details.dev_routes, false);
    const error = await refusal(
      engine.control?.pause("keep", true, { signal: live() }) ?? Promise.reject(),
      "unsupported",
    );
    assert.match(error.message, /\/pause.*VLLM_SERVER_DEV_MODE=1/);
    await plain.stop();
  });

  test("nobody there, a wrong key, another kind of server: named, with the mend", async () => {
    const gone = await startFakeVllm();
    await gone.stop();
    const refused = await refusal(createEngine(gone.url).start({ signal: live() }), "upstream_failed");
    assert.ok(refused.message.includes(gone.url) && /connection refused/.test(refused.message), refused.message);
    const locked = await startFakeVllm({ apiKey: "secret-key" });
    const denied = await refusal(createEngine(locked.url).start({ signal: live() }), "upstream_failed");
    assert.match(denied.message, /--upstream-api-key/);
    await createEngine(locked.url, { key: "secret-key" }).start({ signal: live() });
    await locked.stop();
    fake.state.setFaults({ paths: ["/v1/models"], status: 404 });
    const strange = await refusal(createEngine(fake.url).start({ signal: live() }), "upstream_failed");
    assert.match(strange.message, /does not speak vLLM/);
  });
});

describe("vllm: forward", () => {
  const headers = new Headers({
    "content-type": "application/json",
    authorization: "Bearer gateway-key",
    cookie: "a=b",
    connection: "keep-alive",
    te: "trailers",
    "accept-encoding": "gzip, br",
    "x-odd": "kept",
  });
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const call = (engine: Engine, body: string, signal = live()): Promise<Response> => {
    assert.ok(engine.forward);
    // Without the `exchange` port an engine answers with what fetch gave.
    return engine.forward(
      { method: "POST", target: "/v1/completions?a=1", headers, body: bytes(body) },
      { signal },
    ) as Promise<Response>;
  };
  const greedy = '{"model":"tiny","prompt":"The gateway","max_tokens":8,"temperature":0}';

  test("bytes out and bytes back are the same", async () => {
    const answer = '{"choices":[{"logprobs":[NaN,-Infinity],"seed":18446744073709551615 }]}\n';
    fake.state.answer = { status: 203, headers: { "x-up": "1" }, chunks: [bytes(answer)], delayMs: 0 };
    const body = '{ "prompt":[1,2], "unknown":{"x":NaN}, "seed":9007199254740993 }';
    const response = await call(createEngine(fake.url), body);
    assert.equal(response.status, 203);
    assert.equal(response.headers.get("x-up"), "1");
    assert.equal(await response.text(), answer);
    const seen = fake.seen("/v1/completions").at(-1);
    assert.equal(new TextDecoder().decode(seen?.body), body);
    assert.equal(seen?.target, "/v1/completions?a=1");
  });

  test("headers: the client's own go on, keys, cookies and hops do not", async () => {
    await (await call(createEngine(fake.url, { key: "up-key" }), greedy)).text();
    const sent = new Map(fake.seen("/v1/completions").at(-1)?.headers);
    assert.equal(sent.get("x-odd"), "kept");
    assert.equal(sent.get("authorization"), "Bearer up-key");
    assert.equal(sent.get("accept-encoding"), "identity");
    assert.equal(sent.has("cookie"), false);
    assert.equal(sent.has("te"), false);
    assert.equal(sent.get("content-length"), String(greedy.length));
    await (await call(createEngine(fake.url), greedy)).text();
    assert.equal(new Map(fake.seen("/v1/completions").at(-1)?.headers).has("authorization"), false);
  });

  test("an event stream comes unmerged", async () => {
    const chunks = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"].map(bytes);
    fake.state.answer = { status: 200, headers: { "content-type": "text/event-stream" }, chunks, delayMs: 15 };
    const response = await call(createEngine(fake.url), greedy);
    const got: string[] = [];
    assert.ok(response.body);
    const reader = response.body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      got.push(new TextDecoder().decode(next.value));
    }
    assert.deepEqual(got, ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]);
  });

  test("a client's mistake and an ordinary 500 are handed back", async () => {
    const engine = createEngine(fake.url);
    await engine.start({ signal: live() });
    assert.equal((await call(engine, '{"model":"nope","prompt":"a"}')).status, 404);
    fake.state.setFaults({ status: 500 });
    const response = await call(engine, greedy);
    assert.equal(response.status, 500);
    assert.match(await response.text(), /injected 500/);
    assert.deepEqual(engine.notices, []);
  });

  for (const fault of ["engineDead", "shuttingDown"] as const) {
    test(`${fault}: the request can move, the replica is out at once, whatever /health says`, async () => {
      const engine = createEngine(fake.url);
      await engine.start({ signal: live() });
      fake.state.setFaults({ [fault]: true });
      const error = await refusal(call(engine, greedy), "upstream_failed");
      assert.ok(error.details.upstream);
      assert.equal(engine.notices.length, 1);
      assert.equal(engine.notices[0]?.type, "down");
      await refusal(engine.probe({ signal: live() }), "upstream_failed");
      // Restarted: /health fails once, then is good again.
      fake.state.setFaults({ health: "unavailable" });
      await refusal(engine.probe({ signal: live() }), "upstream_failed");
      fake.state.setFaults({});
      await engine.probe({ signal: live() });
    });
  }

  test("a death that nothing confirms is forgotten after a minute", async () => {
    const engine = createEngine(fake.url);
    await engine.start({ signal: live() });
    fake.state.setFaults({ shuttingDown: true });
    await refusal(call(engine, greedy), "upstream_failed");
    await clock.advance(59_000);
    await refusal(engine.probe({ signal: live() }), "upstream_failed");
    await clock.advance(2000);
    await engine.probe({ signal: live() });
  });

  test("connection refused: names url and reason, tells the owner once, and believes the next good probe", async () => {
    const gone = await startFakeVllm();
    const engine = createEngine(gone.url);
    await engine.start({ signal: live() });
    await gone.stop();
    const error = await refusal(call(engine, greedy), "upstream_failed");
    assert.ok(error.message.includes(gone.url), error.message);
    await refusal(call(engine, greedy), "upstream_failed");
    assert.equal(engine.notices.length, 1);
    const back = await startFakeVllm({ port: gone.port });
    await engine.probe({ signal: live() });
    await back.stop();
  });

  test("a reset on a reused connection is repeated once, where nothing can happen twice", async () => {
    let attempts = 0;
    const resetting: Fetch = (url, init) => {
      attempts += 1;
      if (attempts % 2 === 0) return plainFetch(url, init);
      return Promise.reject(Object.assign(new TypeError("fetch failed"), { code: "ECONNRESET" }));
    };
    const engine = createEngine(fake.url, { fetch: resetting });
    assert.equal((await call(engine, greedy)).status, 200);
    assert.equal(attempts, 2);
    assert.ok(engine.forward);
    const update = { method: "POST", target: "/update_weights", headers, body: bytes("{}") };
    await refusal(engine.forward(update, { signal: live() }), "upstream_failed");
    assert.equal(attempts, 3);
  });

  test("the server's idle close does not lose a request", async () => {
    const engine = createEngine(fake.url);
    for (let round = 0; round < 3; round += 1) {
      await (await call(engine, greedy)).text();
      fake.state.setFaults({ dropReused: true });
      const response = await call(engine, greedy);
      assert.equal(response.status, 200);
      await response.text();
      fake.state.setFaults({});
    }
  });

  test("a connection that always breaks is an upstream failure, and no reason to call the server gone", async () => {
    const engine = createEngine(fake.url);
    await engine.start({ signal: live() });
    fake.state.setFaults({ drop: true });
    const error = await refusal(call(engine, greedy), "upstream_failed");
    assert.match(error.message, /closed the connection/);
    assert.deepEqual(engine.notices, []);
  });

  test("a leaving client ends the upstream's work; its reason comes back", async () => {
    const before = fake.state.disconnects;
    fake.state.tokenDelayMs = 5;
    const controller = new AbortController();
    const reason = new GatewayError("client_closed", "left");
    const answer = call(createEngine(fake.url), greedy.replace("8", "1900"), controller.signal);
    await fake.state.until(() => fake.state.running.size > 0);
    controller.abort(reason);
    await assert.rejects(answer, reason);
    await fake.state.until(() => fake.state.disconnects > before);
  });
});

describe("vllm: text and control", () => {
  test("tokenise and detokenise", async () => {
    const engine = createEngine(fake.url);
    const prompt: Prompt = { kind: "text", text: "ab", addSpecialTokens: true };
    assert.deepEqual(await engine.tokenize?.(prompt, { signal: live() }), {
      tokenIds: [97, 98],
      tokenStrings: ["a", "b"],
    });
    assert.equal(await engine.detokenize?.([97, 98], { signal: live() }), "ab");
  });

  test("pause, resume, cache, sleep", async () => {
    // A request that an earlier test left is still being ended; while one runs the cache stays.
    await fake.state.until(() => fake.state.running.size === 0);
    const { control } = createEngine(fake.url);
    assert.ok(control);
    const options = { signal: live() };
    await control.pause("keep", false, options);
    assert.equal(fake.seen("/pause").at(-1)?.target, "/pause?mode=keep&clear_cache=false");
    assert.equal(await control.isPaused(options), true);
    await control.resume(options);
    assert.equal(await control.isPaused(options), false);
    assert.equal(await control.resetPrefixCache(false, options), true);
    await control.sleep(2, options);
    assert.equal(fake.seen("/sleep").at(-1)?.target, "/sleep?level=2");
    assert.equal(await control.isSleeping(options), true);
    await control.wakeUp(["weights", "kv_cache"], options);
    assert.equal(fake.seen("/wake_up").at(-1)?.target, "/wake_up?tags=weights&tags=kv_cache");
    await control.wakeUp(null, options);
    assert.equal(await control.isSleeping(options), false);
  });
});
