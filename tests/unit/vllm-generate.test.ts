/** The vLLM engine against the fake vLLM server: neutral generation over /v1/completions. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { GenerateEvent, GenerateRequest, Prompt } from "../../src/contract/generation.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";
import { createEngine, live, refusal } from "./cases/vllm-rig.ts";

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

describe("vllm: generate", () => {
  const text = (value: string): Prompt => ({ kind: "text", text: value, addSpecialTokens: true });
  const ids = (...tokens: number[]): Prompt => ({ kind: "tokens", ids: tokens });
  const chat: Prompt = {
    kind: "chat",
    messages: [{ role: "user", content: "2 + 2 = ?" }],
    tools: null,
    addGenerationPrompt: true,
    continueFinalMessage: false,
    templateKwargs: {},
    addSpecialTokens: false,
  };
  const request = (prompts: Prompt[], sampling: GenerateRequest["sampling"] = {}): GenerateRequest => ({
    requestId: "req-1",
    prompts,
    sampling: { maxTokens: 4, temperature: 0, ...sampling },
    echo: false,
  });
  async function events(of: GenerateRequest, engine = createEngine(fake.url)): Promise<GenerateEvent[]> {
    await engine.start({ signal: live() });
    assert.ok(engine.generate);
    const all: GenerateEvent[] = [];
    for await (const event of engine.generate(of, { signal: live() })) all.push(event);
    return all;
  }
  const ofType = <T extends GenerateEvent["type"]>(all: GenerateEvent[], type: T) =>
    all.filter((event): event is Extract<GenerateEvent, { type: T }> => event.type === type);

  test("events in order, text and ids complete, request id handed on", async () => {
    const all = await events(request([text("The gateway")]));
    assert.deepEqual(
      all.map((event) => event.type),
      ["start", "prompt", "delta", "delta", "delta", "delta", "finish", "end"],
    );
    const [prompt] = ofType(all, "prompt");
    assert.equal(prompt?.text, "The gateway");
    assert.deepEqual(prompt?.tokenIds, [...new TextEncoder().encode("The gateway")]);
    const deltas = ofType(all, "delta");
    const made = deltas.flatMap((delta) => delta.tokenIds);
    assert.equal(deltas.map((delta) => delta.text).join(""), String.fromCharCode(...made));
    assert.deepEqual(ofType(all, "finish"), [
      { type: "finish", prompt: 0, sample: 0, reason: "length", stopReason: null },
    ]);
    const seen = fake.seen("/v1/completions").at(-1);
    assert.equal(new Map(seen?.headers).get("x-request-id"), "req-1");
    assert.equal((JSON.parse(new TextDecoder().decode(seen?.body)) as { stream: boolean }).stream, true);
  });

  test("several prompts and samples keep apart", async () => {
    const all = await events(request([ids(1, 2), ids(3)], { n: 2, temperature: 1, seed: 7 }));
    assert.deepEqual(
      ofType(all, "prompt").map((prompt) => [prompt.prompt, prompt.tokenIds]),
      [
        [0, [1, 2]],
        [1, [3]],
      ],
    );
    const finished = ofType(all, "finish").map(({ prompt, sample }) => `${prompt}.${sample}`);
    assert.deepEqual(finished.sort(), ["0.0", "0.1", "1.0", "1.1"]);
    for (const { prompt, sample } of ofType(all, "finish")) {
      const own = ofType(all, "delta").filter((delta) => delta.prompt === prompt && delta.sample === sample);
      assert.equal(own.flatMap((delta) => delta.tokenIds).length, 4);
    }
  });

  test("a conversation and mixed prompts go through the server's template and tokenizer", async () => {
    const all = await events(request([chat, text("a"), ids(5)]));
    const [first, second, third] = ofType(all, "prompt");
    assert.equal(first?.text, "<|im_start|>user\n2 + 2 = ?<|im_end|>\n<|im_start|>assistant\n");
    assert.deepEqual([second?.text, second?.tokenIds], ["a", [97]]);
    assert.deepEqual([third?.text, third?.tokenIds], [null, [5]]);
  });

  test("logprobs by token id, best first, with ranks", async () => {
    const all = await events(request([text("The gateway")], { logprobs: 3 }));
    for (const delta of ofType(all, "delta")) {
      const [position] = delta.logprobs ?? [];
      assert.equal(position?.tokenId, delta.tokenIds[0]);
      assert.equal(position?.rank, 1);
      assert.equal(position?.token, delta.text);
      assert.equal(position?.top.length, 3);
      assert.equal(position?.top[0]?.tokenId, position?.tokenId);
      assert.ok((position?.top[1]?.logprob ?? 0) < (position?.logprob ?? 0));
    }
  });

  test("prompt logprobs: asked for whole, as they cannot be streamed", async () => {
    const all = await events(request([text("abc")], { promptLogprobs: 0, maxTokens: 1 }));
    const [prompt] = ofType(all, "prompt");
    assert.equal(prompt?.logprobs?.length, 3);
    assert.equal(prompt?.logprobs?.[0], null);
    assert.equal(prompt?.logprobs?.[1]?.tokenId, 98);
    assert.equal(prompt?.logprobs?.[1]?.token, "b");
    assert.equal(ofType(all, "delta").length, 1);
  });

  test("no limit means the context end, not vLLM's 16", async () => {
    await events({ ...request([text("a")]), sampling: { stop: ["e"] } });
    const body = JSON.parse(new TextDecoder().decode(fake.seen("/v1/completions").at(-1)?.body)) as Record<
      string,
      unknown
    >;
    assert.equal(body.max_tokens, 2048);
    assert.deepEqual(body.stop, ["e"]);
    assert.equal("temperature" in body, false);
  });

  test("refusals keep their kind", async () => {
    const wrong = await refusal(events(request([text("a")], { temperature: 3 })), "invalid_value");
    assert.match(wrong.message, /temperature must be in \[0, 2\]/);
    assert.equal(wrong.details.param, "temperature");
    fake.state.setFaults({ status: 429 });
    await refusal(events(request([text("a")])), "too_many_requests");
    fake.state.setFaults({ status: 503 });
    await refusal(events(request([text("a")])), "upstream_failed");
  });

  test("an error event in mid stream, a cut stream and a missing end are upstream failures", async () => {
    const engine = createEngine(fake.url);
    fake.state.setFaults({ errorAfterChunks: 2 });
    await refusal(events(request([text("a")]), engine), "upstream_failed");
    assert.equal(engine.notices.length, 1);
    fake.state.setFaults({ dropAfterChunks: 2 });
    await refusal(events(request([text("a")])), "upstream_failed");
    fake.state.setFaults({});
    const chunks = [new TextEncoder().encode('data: {"choices":[]}\n\ndata: [DONE]\n\n')];
    fake.state.answer = { status: 200, headers: { "content-type": "text/event-stream" }, chunks, delayMs: 0 };
    assert.match((await refusal(events(request([text("a")])), "upstream_failed")).message, /0 of 1 samples/);
  });

  test("leaving the iteration ends the upstream's work", async () => {
    const before = fake.state.disconnects;
    fake.state.tokenDelayMs = 5;
    const engine = createEngine(fake.url);
    assert.ok(engine.generate);
    for await (const event of engine.generate(request([text("a")], { maxTokens: 1900 }), { signal: live() })) {
      if (event.type === "delta") break;
    }
    await fake.state.until(() => fake.state.disconnects > before);
  });

  test("stop lets running generations finish until its signal aborts", async () => {
    fake.state.tokenDelayMs = 5;
    const engine = createEngine(fake.url);
    const running = events(request([text("a")], { maxTokens: 1900 }), engine);
    const ended = refusal(running, "draining");
    await fake.state.until(() => fake.state.running.size > 0);
    const controller = new AbortController();
    const stopped = engine.stop({ signal: controller.signal });
    controller.abort();
    await stopped;
    await ended;
  });
});
