import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import { candidate, delta, end, finish, position, promptEvent } from "../support/events.ts";
import { createFakeGateway, DIGEST } from "../support/fake-gateway.ts";
import { readRecording, replay } from "../support/recording.ts";
import { createRouteApp } from "../support/route-app.ts";

const SOLUTION = candidate(493, " solution", -1.1127136945724487, 1);
const ADD = candidate(413, " add", -2.0526723861694336, 2);
const OL = candidate(376, "ol", -1.1602956056594849, 1);
const SYST = candidate(437, " syst", -1.4774247407913208, 2);
const PART = candidate(163, "", -0.1229916587471962, 1);
const QUICK = candidate(445, " quick", -4.16751766204834, 2);
const GATEWAY = candidate(499, " gateway", -16.743865966796875, 434);
const ANSWER = candidate(326, "answer", -0.8529688119888306, 1);
const TRAINER = candidate(465, " trainer", -1.1046968698501587, 2);

const THREE: GenerateEvent[] = [
  promptEvent([285, 499], { text: "The gateway" }),
  delta("", [163], { logprobs: [position(PART, PART, QUICK)] }),
  delta("\ufffd solution", [493], { logprobs: [position(SOLUTION, SOLUTION, ADD)] }),
  delta("ol", [376], { logprobs: [position(OL, OL, SYST)] }),
  finish(),
  end(),
];

const ECHOED: GenerateEvent[] = [
  promptEvent([285, 499], { text: "The gateway", logprobs: [null, position(GATEWAY, ANSWER)] }),
  delta("", [163], { logprobs: [position(PART, PART)] }),
  finish(),
  end(),
];

/** Recorded calls and the events that make their answers. */
const CASES: Readonly<Record<string, readonly GenerateEvent[]>> = {
  "completions-text": [
    promptEvent([285, 499], { text: "The gateway" }),
    delta("\ufffd solutionol\ufffdue", [163, 493, 376, 163, 389, 188]),
    finish(),
    end(),
  ],
  "completions-return-token-ids": [
    promptEvent([285, 499], { text: "The gateway" }),
    delta("\ufffd solution", [163, 493]),
    delta("ol\ufffdue", [376, 163, 389, 188]),
    finish(),
    end(),
  ],
  "completions-logprobs-2": THREE,
  "completions-logprobs-0": THREE,
  "completions-logprobs-as-token-ids": THREE,
  "completions-echo-logprobs": ECHOED,
  "completions-echo-max-tokens-0": ECHOED,
  "completions-echo": [
    promptEvent([285, 499], { text: "The gateway" }),
    delta("\ufffd solutionol\ufffdue", [163, 493, 376, 163, 389, 188]),
    finish(),
    end(),
  ],
  "completions-prompt-logprobs-2": [
    promptEvent([285, 499, 486], {
      text: "The gateway takes",
      logprobs: [
        null,
        position(GATEWAY, ANSWER, TRAINER),
        position(candidate(486, " takes", -8.40220832824707, 42), PART, candidate(445, " quick", -4.16751766204834, 2)),
      ],
    }),
    delta(" thin", [415]),
    finish(),
    end(),
  ],
  "completions-stop-string": [
    promptEvent([285, 499], { text: "The gateway" }),
    delta("\ufffd solutionol\ufffdue\ufffdP", [163, 493, 376, 163, 389, 188, 337]),
    finish({ reason: "stop", stopReason: "a" }),
    end(),
  ],
  "completions-stop-token-id": [
    promptEvent([285, 499], { text: "The gateway" }),
    delta("", [163]),
    finish({ reason: "stop", stopReason: 163 }),
    end(),
  ],
  "completions-batch-n2": [
    promptEvent([33, 34, 35], { prompt: 1 }),
    promptEvent([285, 499]),
    delta("|", [94, 119, 227], { prompt: 1, sample: 1 }),
    finish({ prompt: 1, sample: 1 }),
    delta("\ufffd solution-", [163, 493, 15]),
    delta("\ufffd <", [163, 293, 506], { sample: 1 }),
    delta("", [121, 245, 510], { prompt: 1 }),
    finish({ prompt: 1 }),
    finish({ sample: 1 }),
    finish(),
    end(),
  ],
};

/** What differs between two servers by nature. */
function comparable(body: unknown): Record<string, unknown> {
  const { id, created, system_fingerprint, weight_version, weight_digest, ...rest } = body as Record<string, unknown>;
  assert.match(String(id), /^cmpl-/);
  assert.equal(typeof created, "number");
  assert.ok(system_fingerprint === null || typeof system_fingerprint === "string");
  return rest;
}

describe("POST /v1/completions on an embedded replica", () => {
  for (const [name, events] of Object.entries(CASES)) {
    test(`answers ${name} as vLLM does`, async () => {
      const recording = readRecording(name);
      const detokenize = (_model: unknown, ids: readonly number[]) => Promise.resolve(ids[0] === 285 ? "The" : "?");
      const { gateway } = createFakeGateway({ script: () => events, over: { generation: { detokenize } } });
      const response = await replay(createRouteApp(openaiRoutes, gateway), recording);
      assert.equal(response.status, 200);
      const body = await response.json();
      assert.deepEqual(comparable(body), comparable(recording.response.body));
    });
  }

  test("keeps vLLM's order of candidates: the chosen token first, then by rank", async () => {
    const { gateway } = createFakeGateway({ script: () => CASES["completions-prompt-logprobs-2"] ?? [] });
    const response = await replay(
      createRouteApp(openaiRoutes, gateway),
      readRecording("completions-prompt-logprobs-2"),
    );
    const text = await response.text();
    const at = ["499", "326", "465"].map((id) => text.indexOf(`"${id}":`));
    assert.ok((at[0] ?? 0) < (at[1] ?? 0) && (at[1] ?? 0) < (at[2] ?? 0), text);
  });

  test("stamps headers and body with the weights", async () => {
    const { gateway } = createFakeGateway();
    const response = await createRouteApp(openaiRoutes, gateway).post("/v1/completions", { prompt: "a" });
    assert.equal(response.headers.get("x-weight-version"), "7");
    assert.equal(response.headers.get("x-weight-digest"), DIGEST);
    assert.equal(response.headers.get("x-served-by"), "embedded-0");
    const body = (await response.json()) as Record<string, unknown>;
    assert.equal(body.weight_version, 7);
    assert.equal(body.weight_digest, DIGEST);
  });

  test("says 7-8 and no digest when the weights changed meanwhile", async () => {
    const script = () => [promptEvent([1]), delta("a", [2]), finish(), end(7, 8)];
    const { gateway } = createFakeGateway({ script });
    const response = await createRouteApp(openaiRoutes, gateway).post("/v1/completions", { prompt: "a" });
    assert.equal(response.headers.get("x-weight-version"), "7-8");
    assert.equal(response.headers.get("x-weight-digest"), null);
    const body = (await response.json()) as Record<string, unknown>;
    assert.equal(body.weight_version, "7-8");
    assert.equal(body.weight_digest, null);
  });

  test("writes -9999 for what JSON cannot say", async () => {
    const masked = candidate(9, "x", Number.NEGATIVE_INFINITY, 3);
    const broken = candidate(8, "y", Number.NaN, 4);
    const script = () => [promptEvent([1]), delta("x", [9], { logprobs: [position(masked, broken)] }), finish(), end()];
    const { gateway } = createFakeGateway({ script });
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post("/v1/completions", { prompt: "a", logprobs: 1 });
    const body = (await response.json()) as { choices: { logprobs: { top_logprobs: unknown[] } }[] };
    assert.deepEqual(body.choices[0]?.logprobs.top_logprobs, [{ x: -9999, y: -9999 }]);
  });

  test("maps every sampling field to the neutral request", async () => {
    const { gateway, requests } = createFakeGateway();
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post(
      "/v1/completions",
      {
        prompt: [[1, 2, 3]],
        max_tokens: 4,
        n: 2,
        temperature: 0.5,
        top_p: 0.9,
        top_k: -1,
        min_p: 0.1,
        repetition_penalty: 1.1,
        presence_penalty: -1,
        frequency_penalty: 1,
        seed: 3,
        stop: "x",
        stop_token_ids: [5],
        include_stop_str_in_output: true,
        ignore_eos: true,
        min_tokens: 1,
        skip_special_tokens: false,
        logit_bias: { "2": 100 },
        allowed_token_ids: [2, 3],
        bad_words: ["y"],
        logprobs: 2,
        prompt_logprobs: 1,
        truncate_prompt_tokens: 2,
        no_such_field: 1,
        user: null,
      },
      { "x-request-id": "mine" },
    );
    assert.equal(response.status, 200);
    const [request] = requests;
    assert.deepEqual(request?.prompts, [{ kind: "tokens", ids: [1, 2, 3] }]);
    assert.deepEqual(request?.truncate, { tokens: 2 });
    assert.equal(request?.requestId, "mine");
    assert.deepEqual(request?.sampling, {
      n: 2,
      maxTokens: 4,
      maxTokensField: "max_tokens",
      minTokens: 1,
      temperature: 0.5,
      topP: 0.9,
      topK: -1,
      minP: 0.1,
      repetitionPenalty: 1.1,
      presencePenalty: -1,
      frequencyPenalty: 1,
      seed: 3,
      stop: ["x"],
      stopTokenIds: [5],
      includeStopStrInOutput: true,
      ignoreEos: true,
      skipSpecialTokens: false,
      logprobs: 2,
      promptLogprobs: 1,
      logitBias: { "2": 100 },
      allowedTokenIds: [2, 3],
      badWords: ["y"],
      structuredOutputs: undefined,
    });
  });

  test("names the answer after the request id of header or body", async () => {
    const { gateway } = createFakeGateway();
    const app = createRouteApp(openaiRoutes, gateway);
    const byHeader = await app.post("/v1/completions", { prompt: "a" }, { "x-request-id": "one" });
    assert.equal(((await byHeader.json()) as { id: string }).id, "cmpl-one");
    const byBody = await app.post("/v1/completions", { prompt: "a", request_id: "two" });
    assert.equal(((await byBody.json()) as { id: string }).id, "cmpl-two");
  });

  test("tells cached prompt tokens where there are some", async () => {
    const script = () => [promptEvent([1, 2, 3], { cachedTokens: 2 }), finish(), end()];
    const { gateway } = createFakeGateway({ script });
    const response = await createRouteApp(openaiRoutes, gateway).post("/v1/completions", { prompt: "a" });
    const { usage } = (await response.json()) as { usage: Record<string, unknown> };
    assert.deepEqual(usage.prompt_tokens_details, { cached_tokens: 2 });
  });

  test("asks the tokenizer for the text of an echoed token-id prompt", async () => {
    const script = () => [promptEvent([72, 105]), delta("!", [33]), finish(), end()];
    const { gateway } = createFakeGateway({ script });
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post("/v1/completions", { prompt: [72, 105], echo: true });
    const body = (await response.json()) as { choices: { text: string }[] };
    assert.equal(body.choices[0]?.text, "Hi!");
  });
});

describe("POST /v1/completions on a replica that speaks OpenAI", () => {
  const SENT = '{"model":"tiny","prompt":"\\u00e9",  "seed": 18446744073709551615, "future_field": [1e400]}';
  const ANSWERED = '{"id":"cmpl-1","logprob":NaN,"big":18446744073709551615}';

  test("hands on the very bytes, both ways, and stamps the headers", async () => {
    const headers = { "content-type": "application/json", "x-upstream": "kept" };
    const fake = createFakeGateway({ upstream: () => new Response(ANSWERED, { status: 200, headers }) });
    const app = createRouteApp(openaiRoutes, fake.gateway);
    const response = await app.post("/v1/completions?x=1", SENT, { "x-session-id": "s" });
    assert.equal(await response.text(), ANSWERED);
    assert.equal(response.headers.get("x-upstream"), "kept");
    assert.equal(response.headers.get("x-weight-version"), "7");
    const [call] = fake.calls;
    assert.equal(new TextDecoder().decode(call?.body), SENT);
    assert.equal(call?.target, "/v1/completions?x=1");
    assert.equal(call?.model, "tiny");
    assert.equal(call?.wire, "openai");
    assert.equal(call?.stream, false);
    assert.equal(call?.wishes.sessionId, "s");
    assert.equal(fake.requests.length, 0);
  });

  test("hands on an upstream's error as it is", async () => {
    const upstream = () => new Response('{"error":{"message":"no"}}', { status: 404 });
    const { gateway } = createFakeGateway({ upstream });
    const response = await createRouteApp(openaiRoutes, gateway).post("/v1/completions", { prompt: "a" });
    assert.equal(response.status, 404);
    assert.equal(await response.text(), '{"error":{"message":"no"}}');
  });

  test("refuses n × max_tokens over the limit before anybody is asked", async () => {
    const fake = createFakeGateway({ upstream: () => new Response("{}"), config: { maxTokensPerRequest: 100 } });
    const app = createRouteApp(openaiRoutes, fake.gateway);
    const response = await app.post("/v1/completions", { prompt: "a", n: 11, max_tokens: 10 });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /at most 100, got 11 × 10 × 1 = 110/);
    assert.equal(fake.calls.length, 0);
  });
});
