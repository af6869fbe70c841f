/** The fake vLLM server against recordings of the real one: same fields in the same order, same statuses, same faults. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";

interface Recording {
  readonly request: { method: string; path: string; headers?: Record<string, string>; body?: unknown; raw?: string };
  readonly response: { status: number; body?: unknown; raw?: string };
}

const recording = (name: string): Recording =>
  JSON.parse(readFileSync(new URL(`../fixtures/vllm/${name}.json`, import.meta.url), "utf8")) as Recording;

/** Keys in order and the kinds of their values; of a list the kinds of its items, once each. */
function shape(value: unknown, key = ""): unknown {
  // Empty for a token that is part of a longer UTF-8 sequence; the fake has none.
  if (key === "bytes") return "bytes";
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(shape(item))))].sort();
  if (value === null) return "null";
  if (typeof value === "object") {
    const entries = Object.entries(value);
    const byToken = entries.every(([key]) => key.length < 14 && !/^[a-z_]{5,}$/.test(key));
    if (byToken && entries.every(([, item]) => typeof item === "number")) return "token -> number";
    return entries.map(([name, item]) => [/^\d+$/.test(name) ? "id" : name, shape(item, name)]);
  }
  return typeof value;
}

const events = (raw: string): unknown[] =>
  raw
    .split("\n\n")
    .filter((text) => text !== "" && text !== "data: [DONE]")
    .map((text) => JSON.parse(text.slice(6)));

let fake: FakeVllm;
before(async () => {
  fake = await startFakeVllm();
});
after(() => fake.stop());

async function call(name: string): Promise<{ recorded: Recording["response"]; status: number; text: string }> {
  const { request, response } = recording(name);
  const answer = await fetch(fake.url + request.path, {
    method: request.method,
    headers: request.headers ?? {},
    ...(request.body === undefined && request.raw === undefined
      ? {}
      : { body: request.raw ?? JSON.stringify(request.body) }),
  });
  return { recorded: response, status: answer.status, text: await answer.text() };
}

describe("the fake answers as recorded", () => {
  for (const name of [
    "models",
    "version",
    "tokenize-completion-strs",
    "tokenize-chat",
    "detokenize-ok",
    "get-world-size",
    "is-paused",
    "reset-prefix-cache",
    "sleep-level-1",
    "wake-up",
    "is-sleeping",
    "completions-return-token-ids",
    "completions-logprobs-2",
    "completions-batch-n2",
    "chat-return-token-ids",
    "chat-top-logprobs-2",
  ]) {
    test(name, async () => {
      const { recorded, status, text } = await call(name);
      assert.equal(status, recorded.status, text);
      assert.deepEqual(shape(JSON.parse(text)), shape(recorded.body));
    });
  }
  for (const name of [
    "completions-unknown-model",
    "completions-malformed-json",
    "completions-temperature-string",
    "not-found-404",
    "pause-bad-mode",
  ]) {
    test(`${name}, word for word`, async () => {
      const { recorded, status, text } = await call(name);
      assert.equal(status, recorded.status);
      const error = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll(/body\.\d+/g, "body.N"));
      assert.deepEqual(error(JSON.parse(text)), error(recorded.body));
    });
  }
  for (const name of [
    "completions-stream-token-ids-logprobs",
    "completions-stream-usage",
    "chat-stream-token-ids",
    "chat-stream-usage",
  ]) {
    test(name, async () => {
      const { recorded, text } = await call(name);
      assert.ok(text.endsWith("data: [DONE]\n\n"));
      const shapes = (raw: string): string[] => [...new Set(events(raw).map((item) => JSON.stringify(shape(item))))];
      // What is in the recording: the fake may share an event out differently, but invents no field and lacks none.
      assert.deepEqual(shapes(text).sort(), shapes(recorded.raw ?? "").sort());
    });
  }
});

const post = (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
  fetch(fake.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...init,
  });
const greedy = { model: "tiny", prompt: "The gateway", max_tokens: 8, temperature: 0 };
const textOf = async (answer: Response): Promise<string> =>
  ((await answer.json()) as { choices: { text: string }[] }).choices[0]?.text ?? "";

describe("the fake's faults", () => {
  test("tells weight versions apart by greedy text", async () => {
    const first = await textOf(await post("/v1/completions", greedy));
    assert.equal(await textOf(await post("/v1/completions", greedy)), first);
    await post("/start_weight_update", {});
    await post("/update_weights", { update_info: { names: [] } });
    await post("/finish_weight_update", { weight_version: "step-1" });
    assert.notEqual(await textOf(await post("/v1/completions", greedy)), first);
    assert.deepEqual(await (await fetch(`${fake.url}/weight_info`)).json(), { weight_version: "step-1" });
  });

  test("statuses, for so many requests as asked", async () => {
    await post("/__fake/faults", { status: 503, count: 1 });
    assert.equal((await post("/v1/completions", greedy)).status, 503);
    assert.equal((await post("/v1/completions", greedy)).status, 200);
  });

  test("a dropped connection before the head", async () => {
    await post("/__fake/faults", { drop: true });
    await assert.rejects(post("/v1/completions", greedy));
    await post("/__fake/faults", {});
  });

  test("a connection dropped in mid stream", async () => {
    await post("/__fake/faults", { dropAfterChunks: 2 });
    const answer = await post("/v1/completions", { ...greedy, stream: true });
    assert.equal(answer.status, 200);
    await assert.rejects(answer.text());
    await post("/__fake/faults", {});
  });

  test("an error event in mid stream", async () => {
    await post("/__fake/faults", { errorAfterChunks: 1 });
    const text = await (await post("/v1/completions", { ...greedy, stream: true })).text();
    assert.match(text, /"message": "EngineCore encountered an issue[^\n]*\n\ndata: \[DONE\]\n\n$/);
    await post("/__fake/faults", {});
  });

  test("health that is refused, and a dead engine", async () => {
    await post("/__fake/faults", { health: "unavailable", engineDead: true });
    assert.equal((await fetch(`${fake.url}/health`)).status, 503);
    const answer = await post("/v1/completions", greedy);
    assert.equal(answer.status, 500);
    assert.match(await answer.text(), /EngineCore encountered an issue/);
    await post("/__fake/faults", {});
    assert.equal((await fetch(`${fake.url}/health`)).status, 200);
  });

  test("a fixed answer, byte for byte, and the bytes of the request", async () => {
    const raw = '{"logprob": NaN, "seed": 18446744073709551615}';
    await post("/__fake/answer", { body_base64: Buffer.from(raw).toString("base64"), headers: { "x-odd": "1" } });
    const body = `{"prompt":[1,2],"a":NaN,"b":12345678901234567890 }`;
    const answer = await post("/v1/completions", null, { body });
    assert.equal(await answer.text(), raw);
    assert.equal(answer.headers.get("x-odd"), "1");
    await post("/__fake/answer", null);
    const seen = fake.seen("/v1/completions").at(-1);
    assert.equal(new TextDecoder().decode(seen?.body), body);
  });

  test("idle keep-alive connections are closed by the server", async () => {
    await post("/__fake/faults", { closeIdleMs: 20 });
    await new Promise<void>((resolve, reject) => {
      const socket = connect(fake.port, "127.0.0.1");
      socket.on("error", reject);
      socket.on("close", () => resolve());
      socket.on("data", () => {});
      socket.write("GET /version HTTP/1.1\r\nhost: x\r\n\r\n");
    });
    await post("/__fake/faults", {});
  });

  test("a client that leaves is seen", async () => {
    const before = fake.state.disconnects;
    fake.state.tokenDelayMs = 5;
    const controller = new AbortController();
    const answer = await post(
      "/v1/completions",
      { ...greedy, max_tokens: 1000, stream: true },
      { signal: controller.signal },
    );
    await answer.body?.getReader().read();
    controller.abort();
    await fake.state.until(() => fake.state.disconnects > before && fake.state.running.size === 0);
    fake.state.tokenDelayMs = 0;
  });

  test("pause: abort ends with reason abort, later requests wait for resume", async () => {
    fake.state.tokenDelayMs = 5;
    const running = post("/v1/completions", { ...greedy, max_tokens: 1000 });
    while (fake.state.running.size === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    await post("/pause?mode=abort", {});
    const cut = (await (await running).json()) as { choices: { finish_reason: string }[] };
    assert.equal(cut.choices[0]?.finish_reason, "abort");
    fake.state.tokenDelayMs = 0;
    let answered = false;
    const waiting = post("/v1/completions", greedy).then((answer) => {
      answered = true;
      return answer;
    });
    assert.deepEqual(await (await fetch(`${fake.url}/is_paused`)).json(), { is_paused: true });
    assert.equal(answered, false);
    await post("/resume", {});
    assert.equal((await waiting).status, 200);
  });

  test("a generation while an update is open kills the engine", async () => {
    const other = await startFakeVllm();
    await fetch(`${other.url}/start_weight_update`, { method: "POST" });
    const answer = await fetch(`${other.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(greedy),
    });
    assert.equal(answer.status, 500);
    assert.equal((await fetch(`${other.url}/health`)).status, 503);
    await other.stop();
  });
});
