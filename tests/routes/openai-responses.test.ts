/** `/v1/responses`: what a replica is asked, the object and its events, what is refused; and that vLLM servers get the bytes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import { GatewayError } from "../../src/errors.ts";
import { delta, end, finish, promptEvent } from "../support/events.ts";
import { createFakeGateway, DIGEST, type FakeOptions } from "../support/fake-gateway.ts";
import { createRouteApp } from "../support/route-app.ts";

function* answer(): Generator<GenerateEvent> {
  yield promptEvent([1, 2, 3], { cachedTokens: 2 });
  yield delta("Par", [5]);
  yield delta("is", [6, 7]);
  yield finish({ reason: "stop" });
  yield end();
}

function setUp(options: FakeOptions = {}) {
  const fake = createFakeGateway({ script: answer, ...options });
  const app = createRouteApp(openaiRoutes, fake.gateway);
  return { ...fake, post: (body: unknown) => app.post("/v1/responses", body) };
}

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly [field: string]: unknown;
}

/** Events of a stream; the name before the data is the name in it. */
async function eventsOf(response: Response): Promise<Event[]> {
  const blocks = (await response.text()).split("\n\n").filter((block) => block !== "");
  return blocks.map((block) => {
    const [, name = "", data = ""] = /^event: (\S+)\ndata: (.*)$/.exec(block) ?? [];
    const event = JSON.parse(data) as Event;
    assert.equal(event.type, name);
    return event;
  });
}

const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { message: string; param: string; code: number } }).error;

describe("responses", () => {
  test("a text becomes a message, the answer a response object", async () => {
    const { post, requests } = setUp();
    const response = await post({ input: "Capital?", instructions: "Be short.", max_output_tokens: 9, temperature: 0 });
    assert.equal(response.status, 200, await response.clone().text());
    assert.equal(response.headers.get("x-weight-version"), "7");
    const { id, output, ...body } = (await response.json()) as { id: string; output: Record<string, unknown>[] };
    assert.match(id, /^resp_/);
    const [{ id: itemId, ...item } = { id: "" }] = output;
    assert.match(String(itemId), /^msg_/);
    const content = [{ type: "output_text", text: "Paris", annotations: [], logprobs: [] }];
    assert.deepEqual(item, { type: "message", role: "assistant", status: "completed", content });
    assert.deepEqual(body, {
      object: "response",
      created_at: 1_767_225_600,
      status: "completed",
      error: null,
      incomplete_details: null,
      model: "tiny",
      background: false,
      instructions: "Be short.",
      max_output_tokens: 9,
      max_tool_calls: null,
      metadata: {},
      parallel_tool_calls: true,
      previous_response_id: null,
      prompt: null,
      reasoning: { effort: null, summary: null },
      service_tier: "default",
      store: false,
      temperature: 0,
      top_p: null,
      presence_penalty: null,
      frequency_penalty: null,
      text: { format: { type: "text" } },
      tool_choice: "none",
      tools: [],
      top_logprobs: null,
      truncation: "disabled",
      user: null,
      usage: {
        input_tokens: 3,
        input_tokens_details: { cached_tokens: 2, cache_write_tokens: 0 },
        output_tokens: 3,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 6,
      },
      weight_version: 7,
      weight_digest: DIGEST,
    });
    const [{ prompts: [prompt] = [], sampling } = {}] = requests;
    assert.equal(sampling?.maxTokens, 9);
    assert.equal(sampling?.temperature, 0);
    assert.deepEqual(prompt?.kind === "chat" && prompt.messages, [
      { role: "system", content: "Be short." },
      { role: "user", content: "Capital?" },
    ]);
  });

  test("messages, an unfinished answer, sampling, a schema", async () => {
    const { post, requests } = setUp();
    const schema = { type: "object", properties: { a: { type: "integer" } } };
    const response = await post({
      input: [
        { role: "developer", content: "Be short." },
        { type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] },
        { role: "assistant", content: [{ type: "output_text", text: "Well" }], status: "incomplete" },
      ],
      ...{ top_p: 0.5, top_k: 3, seed: 4, stop: "x", truncation: "auto", reasoning: { effort: "low" } },
      text: { format: { type: "json_schema", name: "a", schema, strict: true } },
      metadata: { run: "7" },
      store: false,
      tools: [],
      tool_choice: "auto",
    });
    assert.equal(response.status, 200, await response.clone().text());
    const body = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(body.metadata, { run: "7" });
    assert.deepEqual(body.text, { format: { type: "json_schema", name: "a", schema, strict: true } });
    const [request] = requests;
    const prompt = request?.prompts[0];
    assert.ok(prompt?.kind === "chat");
    assert.deepEqual(
      prompt.messages.map(({ role }) => role),
      ["system", "user", "assistant"],
    );
    assert.deepEqual([prompt.addGenerationPrompt, prompt.continueFinalMessage], [false, true]);
    assert.equal(prompt.templateKwargs.reasoning_effort, "low");
    assert.deepEqual(request?.truncate, { tokens: -1 });
    const { topP, topK, seed, stop, structuredOutputs } = request?.sampling ?? {};
    assert.deepEqual([topP, topK, seed, stop], [0.5, 3, 4, ["x"]]);
    assert.deepEqual(structuredOutputs, {
      constraint: { kind: "json", schema: JSON.stringify(schema) },
      param: "text.format",
    });
  });

  test("streamed: everything in its order, numbered; the deltas make the text", async () => {
    const { post } = setUp();
    const response = await post({ input: "Capital?", stream: true });
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const events = await eventsOf(response);
    assert.deepEqual(
      events.map(({ type }) => type),
      [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
      ],
    );
    assert.deepEqual(
      events.map(({ sequence_number }) => sequence_number),
      [...events.keys()],
    );
    assert.deepEqual(
      events.filter(({ type }) => type.endsWith("text.delta")).map((event) => event.delta),
      ["Par", "is"],
    );
    const first = events[0]?.response as Record<string, unknown>;
    assert.deepEqual([first.status, first.output, first.usage], ["in_progress", [], null]);
    const last = events.at(-1)?.response as { status: string; output: unknown[]; usage: { total_tokens: number } };
    assert.deepEqual([last.status, last.usage.total_tokens], ["completed", 6]);
    assert.deepEqual(last.output, [events.at(-2)?.item]);
  });

  test("one that was cut is incomplete, one that a pause ended cancelled", async () => {
    for (const [reason, status, details] of [
      ["length", "incomplete", { reason: "max_output_tokens" }],
      ["abort", "cancelled", null],
    ] as const) {
      const { post } = setUp({
        script: function* () {
          yield promptEvent([1]);
          yield delta("Par", [5]);
          yield finish({ reason });
          yield end();
        },
      });
      for (const stream of [false, true]) {
        const response = await post({ input: "a", stream });
        const body = stream ? (await eventsOf(response)).at(-1)?.response : await response.json();
        const { output, ...rest } = body as Record<string, unknown> & { output: { status: string }[] };
        assert.deepEqual([rest.status, rest.incomplete_details, output[0]?.status], [status, details, "incomplete"]);
      }
    }
  });

  test("log probabilities where include asks for them", async () => {
    const entry = (tokenId: number, token: string, logprob: number) => ({
      tokenId,
      token,
      bytes: [tokenId],
      logprob,
      rank: 1,
    });
    const { post, requests } = setUp({
      script: function* () {
        yield promptEvent([1]);
        yield delta("a", [97], {
          logprobs: [{ ...entry(97, "a", -0.5), top: [entry(97, "a", -0.5), entry(98, "b", -2)] }],
        });
        yield finish();
        yield end();
      },
    });
    const ask = { input: "a", include: ["message.output_text.logprobs"], top_logprobs: 2 };
    const shown = (token: string, byte: number, logprob: number) => ({ token, logprob, bytes: [byte] });
    const expected = [{ ...shown("a", 97, -0.5), top_logprobs: [shown("a", 97, -0.5), shown("b", 98, -2)] }];
    const whole = (await (await post(ask)).json()) as { output: { content: { logprobs: unknown }[] }[] };
    assert.deepEqual(whole.output[0]?.content[0]?.logprobs, expected);
    const events = await eventsOf(await post({ ...ask, stream: true }));
    for (const type of ["response.output_text.delta", "response.output_text.done"]) {
      assert.deepEqual(events.find((event) => event.type === type)?.logprobs, expected);
    }
    assert.equal(requests[0]?.sampling.logprobs, 2);
  });

  test("a failure after the head is an event", async () => {
    const { post } = setUp({
      // biome-ignore lint/correctness/useYield: it fails before its first event
      script: function* () {
        throw new GatewayError("replica_failed", "the worker is gone");
      },
    });
    const events = await eventsOf(await post({ input: "a", stream: true }));
    const last = events.at(-1);
    assert.deepEqual([last?.type, last?.code, last?.message], ["error", "replica_failed", "the worker is gone"]);
  });

  const REFUSED: readonly (readonly [body: Record<string, unknown>, param: string, message: RegExp])[] = [
    [{}, "input", /^input is required/],
    [{ input: "" }, "input", /at least one message/],
    [{ input: [] }, "input", /at least one message/],
    [{ input: 5 }, "input", /a text or a list of messages/],
    [{ input: [{ role: "robot", content: "a" }] }, "input.0.role", /one of "user"/],
    [{ input: [{ role: "user" }] }, "input.0.content", /a string or a list/],
    [{ input: [{ type: "function_call_output", output: "a" }] }, "input.0.type", /chat\/completions/],
    [{ input: [{ role: "user", content: [{ type: "input_image" }] }] }, "input.0.content.0.type", /not supported/],
    [{ input: "a", store: true }, "store", /no response is kept/],
    [{ input: "a", previous_response_id: "resp_1" }, "previous_response_id", /whole conversation/],
    [{ input: "a", conversation: "c" }, "conversation", /not supported/],
    [{ input: "a", background: true }, "background", /not supported/],
    [{ input: "a", tools: [{ type: "web_search" }] }, "tools", /chat\/completions/],
    [{ input: "a", tool_choice: "required" }, "tool_choice", /no tools/],
    [{ input: "a", include: ["reasoning.encrypted_content"] }, "include", /can be included/],
    [{ input: "a", top_logprobs: 2 }, "top_logprobs", /left out unless include/],
    [{ input: "a", text: { verbosity: "low" } }, "text.verbosity", /instructions/],
    [{ input: "a", text: { format: { type: "json_schema", name: "a" } } }, "text.format.schema", /JSON schema/],
    [
      { input: "a", text: { format: { type: "json_object" } }, structured_outputs: { regex: "a" } },
      "structured_outputs",
      /both/,
    ],
    [{ input: "a", reasoning: { summary: "auto" } }, "reasoning.summary", /not supported/],
    [{ input: "a", max_output_tokens: 0 }, "max_output_tokens", /at least 1/],
    [{ input: "a", temperature: 3 }, "temperature", /at most 2/],
    [{ input: "a", max_output_tokens: 2_000_000 }, "max_tokens", /at most 1048576/],
  ];
  for (const [body, param, message] of REFUSED) {
    test(`refuses ${JSON.stringify(body)} by name`, async () => {
      const { post, requests } = setUp();
      const response = await post(body);
      assert.equal(response.status, 400);
      const error = await errorOf(response);
      assert.equal(error.param, param);
      assert.match(error.message, message);
      assert.equal(requests.length, 0);
    });
  }

  test("a server that speaks OpenAI gets the request as it is", async () => {
    const { post, calls } = setUp({ upstream: () => new Response('{"object":"response"}', { status: 200 }) });
    const response = await post({ input: "a", store: true, tools: [{ type: "function", name: "f" }] });
    assert.equal(await response.text(), '{"object":"response"}');
    assert.equal(calls[0]?.target, "/v1/responses");
    assert.match(new TextDecoder().decode(calls[0]?.body), /"store":true/);
  });
});
