/** The pure parts of the vLLM engine: event streams, Python's JSON, connection failures, recorded answers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import { connectionFault, readUpstreamError, statusError, tellsDeath } from "../../src/engine/vllm/faults.ts";
import { type Progress, toEvents, type WireCompletion } from "../../src/engine/vllm/from-completions.ts";
import { toUpstreamHeaders } from "../../src/engine/vllm/headers.ts";
import { parsePythonJson, readEvents } from "../../src/engine/vllm/sse.ts";
import { GatewayError } from "../../src/errors.ts";

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const left = [...chunks];
  return new ReadableStream({
    pull(controller) {
      const next = left.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
  });
}

async function dataOf(chunks: readonly Uint8Array[], limit?: number): Promise<string[]> {
  const all: string[] = [];
  for await (const data of readEvents(streamOf(chunks), limit)) all.push(data);
  return all;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("sse", () => {
  test("comments, other fields, no space, several data lines, a last event without an end", async () => {
    const text = ': hi\nevent: x\nid: 1\ndata:{"a":1}\n\ndata: one\ndata: two\n\n\n\ndata\n\ndatabase: no\n\ndata: end';
    assert.deepEqual(await dataOf([bytes(text)]), ['{"a":1}', "one\ntwo", "", "end"]);
  });

  test("any cut of any bytes gives the same events", async () => {
    const line = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !/[\r\n]/.test(text));
    const events = fc.array(line, { minLength: 1, maxLength: 6 });
    const ending = fc.constantFrom("\n", "\r\n", "\r");
    await fc.assert(
      fc.asyncProperty(events, ending, fc.array(fc.nat({ max: 200 }), { maxLength: 8 }), async (all, end, cuts) => {
        const whole = bytes(all.map((data) => `data: ${data}${end}${end}`).join(""));
        const at = [...new Set(cuts.map((cut) => cut % whole.length))].sort((a, b) => a - b);
        const chunks = [...at, whole.length].map((to, index) => whole.subarray(index === 0 ? 0 : at[index - 1], to));
        assert.deepEqual(await dataOf(chunks), all);
      }),
      { numRuns: 200 },
    );
  });

  test("a line or an event over the limit is refused, also when it never ends", async () => {
    await assert.rejects(dataOf([bytes("data: "), bytes("x".repeat(200))], 100), GatewayError);
    await assert.rejects(dataOf([bytes(`data: ${"x".repeat(60)}\ndata: ${"x".repeat(60)}\n`)], 100), GatewayError);
  });

  test("leaving early cancels the body", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes("data: 1\n\n")),
      cancel: () => {
        cancelled = true;
      },
    });
    for await (const data of readEvents(body)) {
      assert.equal(data, "1");
      break;
    }
    assert.equal(cancelled, true);
  });
});

describe("Python's JSON", () => {
  test("bare NaN and Infinity become null, in strings they stay", () => {
    assert.deepEqual(parsePythonJson('{"a": NaN, "b": [-Infinity, Infinity, "NaN, \\"Infinity"], "NaN": 1}'), {
      a: null,
      b: [null, null, 'NaN, "Infinity'],
      NaN: 1,
    });
    assert.throws(() => parsePythonJson('{"a": nope}'), SyntaxError);
  });
});

describe("failures", () => {
  test("are told apart on each runtime's own words", () => {
    const withCode = (message: string, code: string): Error => Object.assign(new TypeError(message), { code });
    assert.equal(
      connectionFault(withCode("Unable to connect. Is the computer able to access the url?", "ECONNREFUSED")),
      "refused",
    );
    assert.equal(
      connectionFault(new TypeError("fetch failed", { cause: withCode("connect", "ECONNREFUSED") })),
      "refused",
    );
    assert.equal(
      connectionFault(new TypeError("client error (Connect): tcp connect error: Connection refused (os error 111)")),
      "refused",
    );
    assert.equal(connectionFault(withCode("The socket connection was closed unexpectedly.", "ECONNRESET")), "reset");
    assert.equal(
      connectionFault(new TypeError("fetch failed", { cause: withCode("other side closed", "UND_ERR_SOCKET") })),
      "reset",
    );
    assert.equal(connectionFault(new TypeError("connection closed before message completed")), "reset");
    assert.equal(connectionFault(new TypeError("getaddrinfo ENOTFOUND nowhere")), "other");
    assert.equal(connectionFault("text"), "other");
  });

  test("vLLM's three error shapes, and none", () => {
    assert.deepEqual(readUpstreamError('{"error":{"message":"m","param":"p"}}'), { message: "m", param: "p" });
    assert.deepEqual(readUpstreamError('{"error":"Unauthorized"}'), { message: "Unauthorized", param: null });
    assert.deepEqual(readUpstreamError('{"detail":"Not Found"}'), { message: "Not Found", param: null });
    assert.deepEqual(readUpstreamError("<html>"), { message: "<html>", param: null });
    assert.equal(statusError("http://a", "/x", 502, "y".repeat(10_000)).message.length < 700, true);
  });

  test("death is known from the recorded texts only", () => {
    const recorded = readFileSync(new URL("../fixtures/vllm/scenario-engine-killed.json", import.meta.url), "utf8");
    assert.equal(tellsDeath(recorded), true);
    assert.equal(tellsDeath("cannot schedule new futures after shutdown"), true);
    assert.equal(tellsDeath("Call to collective_rpc method failed: Worker failed with error 'x'"), false);
  });
});

describe("headers", () => {
  test("those that connection names stay behind too", () => {
    const out = toUpstreamHeaders(new Headers({ connection: "x-hop, close", "x-hop": "1", "x-end": "2" }), undefined);
    assert.equal("x-hop" in out, false);
    assert.equal(out["x-end"], "2");
  });
});

describe("recorded answers as events", () => {
  const bodyOf = (name: string): WireCompletion =>
    (
      JSON.parse(readFileSync(new URL(`../fixtures/vllm/${name}.json`, import.meta.url), "utf8")) as {
        response: { body: WireCompletion };
      }
    ).response.body;
  function eventsOf(answer: WireCompletion, samples: number, wantsLogprobs: boolean): GenerateEvent[] {
    const progress: Progress = { prompts: new Set(), finished: new Set() };
    const context = { samples, textOf: () => null, wantsLogprobs, cachedTokens: 0 };
    return (answer.choices ?? []).flatMap((choice) => [...toEvents(choice, progress, context)]);
  }

  test("batch of two prompts with two samples", () => {
    const all = eventsOf(bodyOf("completions-batch-n2"), 2, false);
    assert.deepEqual(
      all.map((event) =>
        event.type === "prompt"
          ? `p${event.prompt}`
          : event.type === "delta"
            ? `d${event.prompt}${event.sample}`
            : event.type,
      ),
      ["p0", "d00", "finish", "d01", "finish", "p1", "d10", "finish", "d11", "finish"],
    );
  });

  test("logprobs as token ids", () => {
    const answer = bodyOf("completions-logprobs-as-token-ids");
    const choice = { ...answer.choices?.[0], token_ids: [163, 493, 376] };
    const [, delta] = eventsOf({ choices: [choice] }, 1, true);
    assert.ok(delta?.type === "delta");
    assert.deepEqual(
      delta.logprobs?.map(({ tokenId, rank, top }) => [tokenId, rank, top.map((one) => one.tokenId)]),
      [
        [163, 1, [163, 445]],
        [493, 1, [493, 413]],
        [376, 1, [376, 437]],
      ],
    );
    assert.equal(delta.logprobs?.[0]?.logprob, -0.1229916587471962);
  });

  test("prompt logprobs with ranks and texts", () => {
    const [prompt] = eventsOf(bodyOf("completions-prompt-logprobs-2"), 1, false);
    assert.ok(prompt?.type === "prompt");
    const [first, second] = prompt.logprobs ?? [];
    assert.equal(first, null);
    assert.deepEqual([second?.tokenId, second?.rank, second?.token], [499, 434, " gateway"]);
    assert.deepEqual(
      second?.top.map((one) => one.rank),
      [1, 2, 434],
    );
  });
});
