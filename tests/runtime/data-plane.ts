/** What every runtime, the edge included, must do in front of plain vLLM servers. Two fakes, real sockets. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";
import { post, type Start, type Started, until } from "./start.ts";

const encoder = new TextEncoder();
const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

/** Unknown fields, a 64-bit integer, an escape and odd spaces: whatever is parsed and written again differs. */
const REQUEST = encoder.encode(
  '{ "model":"tiny",\n\t"prompt":[1,2,3], "seed": 9007199254740993, "max_tokens":4,"x_unknown":{"a":[1.0,1e400,"\\u00e9"]} ,"model" : "tiny" }',
);
const LOGPROBS = encoder.encode(
  `{"id":"cmpl-1","choices":[{"index":0,"text":"a","logprobs":{"token_logprobs":[NaN,-Infinity,${Array.from({ length: 4096 }, (_, index) => `-${index}.10`).join(",")}]}}],"big":18446744073709551615}`,
);

/** `known`: cases that a runtime cannot pass, with the reason. They are skipped visibly. */
export function dataPlane(name: string, start: Start, known: Readonly<Record<string, string>> = {}): void {
  const unless = (title: string): { skip: string | false } => ({ skip: known[title] ?? false });
  describe(`data plane on ${name}`, () => {
    let a: FakeVllm;
    let b: FakeVllm;
    let gateway: Started;

    before(async () => {
      a = await startFakeVllm({ name: "a" });
      b = await startFakeVllm({ name: "b" });
      gateway = await start({ upstream: [a.url, b.url], probeInterval: 0.2 });
    });
    after(async () => {
      await gateway.stop();
      await a.stop();
      await b.stop();
    });
    const both = <T>(apply: (fake: FakeVllm) => T): [T, T] => [apply(a), apply(b)];
    const reset = (): unknown =>
      both(({ state }) => {
        state.answer = null;
        state.setFaults({});
        state.seen = [];
        state.tokenDelayMs = 0;
      });
    const seen = () =>
      [...a.seen(), ...b.seen()].filter((request) => request.target.startsWith("/v1/") && request.method === "POST");

    test("request and answer bytes go through untouched", async () => {
      reset();
      both(({ state }) => {
        state.answer = {
          status: 200,
          headers: { "content-type": "application/json", "content-length": String(LOGPROBS.length) },
          chunks: [LOGPROBS],
          delayMs: 0,
        };
      });
      const response = await post(`${gateway.url}/v1/completions`, REQUEST);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("x-weight-version"), "0");
      assert.match(response.headers.get("x-served-by") ?? "", /^vllm-/);
      assert.ok(response.headers.get("x-request-id"));
      assert.deepEqual(await bytesOf(response), LOGPROBS);
      assert.equal(seen().length, 1);
      assert.deepEqual(seen()[0]?.body, REQUEST);
    });

    test("16,384 token ids arrive as sent", async () => {
      reset();
      const body = encoder.encode(
        `{"model":"tiny","prompt":[${Array.from({ length: 16_384 }, (_, index) => index % 500).join(", ")}],"max_tokens":1}`,
      );
      both(({ state }) => {
        state.answer = {
          status: 200,
          headers: { "content-type": "application/json" },
          chunks: [LOGPROBS.subarray(0, 100), LOGPROBS.subarray(100)],
          delayMs: 0,
        };
      });
      const response = await post(`${gateway.url}/v1/completions`, body);
      assert.deepEqual(await bytesOf(response), LOGPROBS);
      assert.deepEqual(seen()[0]?.body, body);
    });

    test("an upstream's own refusal comes back as it is", async () => {
      reset();
      const answer = encoder.encode('{"error":{"message":"no","type":"BadRequestError","param":null,"code":400}}');
      both(({ state }) => {
        state.answer = {
          status: 400,
          headers: { "content-type": "application/json", "content-length": String(answer.length) },
          chunks: [answer],
          delayMs: 0,
        };
      });
      const response = await post(`${gateway.url}/v1/chat/completions`, { model: "tiny", messages: [] });
      assert.equal(response.status, 400);
      assert.deepEqual(await bytesOf(response), answer);
      assert.equal(seen().length, 1);
    });

    test("stream chunks come one by one, as they are sent", async () => {
      reset();
      const chunks = Array.from({ length: 5 }, (_, index) => encoder.encode(`data: {"i":${index}, "n": NaN}\n\n`));
      both(({ state }) => {
        state.answer = {
          status: 200,
          headers: { "content-type": "text/event-stream; charset=utf-8" },
          chunks,
          delayMs: 120,
        };
      });
      const response = await post(`${gateway.url}/v1/chat/completions`, { model: "tiny", messages: [], stream: true });
      const got: string[] = [];
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
        got.push(new TextDecoder().decode(chunk));
      assert.deepEqual(
        got,
        chunks.map((chunk) => new TextDecoder().decode(chunk)),
      );
    });

    test("a client that leaves a stream cancels it upstream within a second", async () => {
      reset();
      both(({ state }) => {
        state.tokenDelayMs = 50;
      });
      const leave = new AbortController();
      const response = await post(
        `${gateway.url}/v1/completions`,
        { model: "tiny", prompt: "a", max_tokens: 1000, ignore_eos: true, stream: true },
        { signal: leave.signal },
      );
      const reader = response.body?.getReader();
      await reader?.read();
      leave.abort();
      await reader?.closed.catch(() => undefined);
      await until(
        "upstream sees the client leave",
        () => seen().some((request) => request.disconnectedAt !== null),
        1000,
      );
    });

    test(
      "a client that leaves before the answer cancels it upstream within a second",
      unless("a client that leaves before the answer cancels it upstream within a second"),
      async () => {
        reset();
        both(({ state }) => state.setFaults({ delayHeadMs: 5000 }));
        const leave = new AbortController();
        const call = post(
          `${gateway.url}/v1/completions`,
          { model: "tiny", prompt: "a", max_tokens: 1 },
          { signal: leave.signal },
        ).catch(() => undefined);
        await until("upstream has the request", () => seen().length === 1);
        leave.abort();
        await call;
        await until(
          "upstream sees the client leave",
          () => seen().some((request) => request.disconnectedAt !== null),
          1000,
        );
      },
    );

    test("a request whose upstream hangs up is served by the other one", async () => {
      reset();
      a.state.setFaults({ drop: true });
      for (let index = 0; index < 6; index += 1) {
        const response = await post(`${gateway.url}/v1/completions`, { model: "tiny", prompt: "a", max_tokens: 1 });
        assert.equal(response.status, 200, await response.clone().text());
        assert.equal(response.headers.get("x-fake-name"), "b");
        await response.arrayBuffer();
      }
      reset();
      await until("both are ready again", async () =>
        (await (await fetch(`${gateway.url}/api/fleet`)).json()).servers.every(
          (server: { state: string }) => server.state === "ready",
        ),
      );
    });

    test(
      "a stream that breaks off ends with an error event",
      unless("a stream that breaks off ends with an error event"),
      async () => {
        reset();
        both(({ state }) => state.setFaults({ dropAfterChunks: 3 }));
        const response = await post(`${gateway.url}/v1/completions`, {
          model: "tiny",
          prompt: "a",
          max_tokens: 50,
          ignore_eos: true,
          stream: true,
        });
        const text = await response.text();
        assert.match(text, /data: \{"error":\{"message":"[^"]*broke off/);
        assert.ok(text.endsWith("data: [DONE]\n\n"));
        reset();
        await until("both are ready again", async () =>
          (await (await fetch(`${gateway.url}/api/fleet`)).json()).servers.every(
            (server: { state: string }) => server.state === "ready",
          ),
        );
      },
    );

    test("x-request-timeout ends a call with 504 in the dialect of the route", async () => {
      reset();
      both(({ state }) => state.setFaults({ hang: true }));
      const response = await post(
        `${gateway.url}/v1/completions`,
        { model: "tiny", prompt: "a", max_tokens: 1 },
        { headers: { "x-request-timeout": "0.3" } },
      );
      assert.equal(response.status, 504);
      assert.match((await response.json()).error.message, /0\.3 s/);
    });

    test("unknown routes, wrong methods and malformed bodies are refused in their dialect", async () => {
      reset();
      const unknown = await fetch(`${gateway.url}/v1/nothing`);
      assert.equal(unknown.status, 404);
      await unknown.arrayBuffer();
      const method = await fetch(`${gateway.url}/v1/completions`);
      assert.equal(method.status, 405);
      assert.equal(method.headers.get("allow"), "POST");
      await method.arrayBuffer();
      const malformed = await post(`${gateway.url}/v1/completions`, '{"model":');
      assert.equal(malformed.status, 400);
      assert.equal((await malformed.json()).error.code, 400);
      const control = await fetch(`${gateway.url}/api/weight-syncs/ws_none`);
      assert.equal(control.status, 404);
      assert.equal(control.headers.get("content-type"), "application/problem+json");
      assert.equal((await control.json()).code, "not_found");
    });

    test("metrics and fleet tell of both upstreams", async () => {
      const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
      assert.match(metrics, /tidegate_http_requests_total\{route="\/v1\/completions",method="POST",status="200"\} \d+/);
      const fleet = await (await fetch(`${gateway.url}/api/fleet`)).json();
      assert.deepEqual(
        fleet.servers.map((server: { kind: string }) => server.kind),
        ["vllm", "vllm"],
      );
      assert.equal(
        fleet.servers.reduce((sum: number, server: { in_flight: number }) => sum + server.in_flight, 0),
        0,
      );
    });
  });
}
