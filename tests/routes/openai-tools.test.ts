/** Tool calls over chat on an embedded replica: shapes of vLLM 0.32, streamed and not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import { delta, end, finish, promptEvent } from "../support/events.ts";
import { createFakeGateway } from "../support/fake-gateway.ts";
import { createRouteApp, readEvents } from "../support/route-app.ts";

const ADD = {
  type: "function",
  function: {
    name: "add",
    parameters: {
      type: "object",
      properties: { a: { type: "integer" } },
      required: ["a"],
      additionalProperties: false,
    },
  },
};
const NOW = { type: "function", function: { name: "now" } };
const CONFIG = { toolCallParser: "hermes", enableAutoToolChoice: true };
const MESSAGES = [{ role: "user", content: "2 + 2 = ?" }];
const CALLS =
  'Let me see.\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>{"name": "now", "arguments": {}}</tool_call>';

interface Choice {
  readonly message: { readonly content: string | null; readonly tool_calls?: readonly Record<string, unknown>[] };
  readonly finish_reason: string;
}
interface Delta {
  readonly content?: string | null;
  readonly tool_calls?: readonly {
    readonly index: number;
    readonly id?: string;
    readonly type?: string;
    readonly function: { readonly name?: string; readonly arguments?: string };
  }[];
}

function setUp(text: string, config: Readonly<Record<string, unknown>> = CONFIG, reason: "stop" | "length" = "stop") {
  const script = () => [
    promptEvent([1, 2]),
    ...Array.from(text, (character, index) => delta(character, [index])),
    finish({ reason }),
    end(),
  ];
  const { gateway, requests } = createFakeGateway({ script, config });
  const app = createRouteApp(openaiRoutes, gateway);
  const post = (more: Record<string, unknown>) => app.post("/v1/chat/completions", { messages: MESSAGES, ...more });
  return {
    requests,
    post,
    async whole(more: Record<string, unknown>): Promise<Choice> {
      const response = await post(more);
      const body = (await response.json()) as { choices: readonly [Choice] };
      assert.equal(response.status, 200, JSON.stringify(body));
      return body.choices[0];
    },
    async streamed(more: Record<string, unknown>) {
      const events = await readEvents(await post({ ...more, stream: true }));
      const choices = events
        .filter((event) => event !== "[DONE]")
        .map((event) => (event as { choices: readonly [{ delta: Delta; finish_reason: string | null }] }).choices[0]);
      return { deltas: choices.map((choice) => choice.delta), reason: choices.at(-1)?.finish_reason };
    },
    async refused(more: Record<string, unknown>, type = "BadRequestError"): Promise<string> {
      const response = await post(more);
      const body = (await response.json()) as { error: { message: string; type: string } };
      assert.equal(response.status, 400);
      assert.equal(body.error.type, type);
      return body.error.message;
    },
  };
}

const tagOf = (request: { sampling: { structuredOutputs?: { constraint: unknown } | undefined } } | undefined) => {
  const constraint = request?.sampling.structuredOutputs?.constraint as { tag?: string } | undefined;
  return constraint?.tag === undefined
    ? undefined
    : (JSON.parse(constraint.tag) as { format: Record<string, unknown> });
};

describe("tool calls of embedded replicas", () => {
  test("auto: content, calls and finish_reason, as vLLM has them", async () => {
    const { whole, requests } = setUp(CALLS);
    const choice = await whole({ tools: [ADD, NOW] });
    const [first, second] = choice.message.tool_calls ?? [];
    assert.match(String(first?.id), /^chatcmpl-tool-[0-9a-f]{16}$/);
    assert.notEqual(first?.id, second?.id);
    assert.deepEqual(Object.keys(choice.message), [
      "role",
      "content",
      "refusal",
      "annotations",
      "audio",
      "function_call",
      "tool_calls",
      "reasoning",
    ]);
    assert.deepEqual(
      { ...first, id: "" },
      { id: "", type: "function", function: { name: "add", arguments: '{"a": 1}' } },
    );
    assert.deepEqual(second?.function, { name: "now", arguments: "{}" });
    assert.equal(choice.message.content, "Let me see.\n");
    assert.equal(choice.finish_reason, "tool_calls");
    // No constraint, as vLLM has it for tools that are not strict; tags may be special tokens.
    assert.equal(requests[0]?.sampling.structuredOutputs, undefined);
    assert.equal(requests[0]?.sampling.skipSpecialTokens, false);
  });

  test("streamed: index, id, type and name once, then pieces of arguments; the same calls as whole", async () => {
    const { whole, streamed } = setUp(CALLS);
    const choice = await whole({ tools: [ADD, NOW] });
    const { deltas, reason } = await streamed({ tools: [ADD, NOW] });
    assert.deepEqual(deltas[0], { role: "assistant", content: "" });
    assert.equal(reason, "tool_calls");
    assert.deepEqual(deltas.at(-1), {});
    const pieces = deltas.flatMap((one) => one.tool_calls ?? []);
    const heads = pieces.filter((piece) => piece.id !== undefined);
    assert.deepEqual(
      heads.map(({ id, ...rest }) => rest),
      [
        { type: "function", index: 0, function: { name: "add" } },
        { type: "function", index: 1, function: { name: "now" } },
      ],
    );
    const joined = [0, 1].map((index) =>
      pieces
        .filter((piece) => piece.index === index)
        .map((piece) => piece.function.arguments ?? "")
        .join(""),
    );
    assert.deepEqual(
      joined,
      (choice.message.tool_calls ?? []).map((call) => (call.function as { arguments: string }).arguments),
    );
    assert.ok(pieces.length > 4, "arguments come in pieces");
    assert.equal(deltas.map((one) => one.content ?? "").join(""), choice.message.content);
  });

  test("required and named: forced calls, held to the function's schema; named ends with stop", async () => {
    const one = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';
    const { whole, streamed, requests } = setUp(one);
    const required = await whole({ tools: [ADD, NOW], tool_choice: "required" });
    assert.deepEqual([required.finish_reason, required.message.content], ["tool_calls", ""]);
    const tag = tagOf(requests[0])?.format;
    assert.equal(tag?.type, "tags_with_separator");
    assert.deepEqual([tag?.at_least_one, tag?.stop_after_first], [true, false]);
    const tags = tag?.tags as readonly { begin: string; end: string; content: { json_schema: unknown } }[];
    assert.deepEqual(
      tags.map(({ begin, end: close }) => [begin, close]),
      [
        ['<tool_call>\n{"name": "add", "arguments": ', "}\n</tool_call>"],
        ['<tool_call>{"name": "add", "arguments": ', "}</tool_call>"],
        ['<tool_call>\n{"name": "now", "arguments": ', "}\n</tool_call>"],
        ['<tool_call>{"name": "now", "arguments": ', "}</tool_call>"],
      ],
    );
    assert.deepEqual(tags[0]?.content.json_schema, ADD.function.parameters);
    assert.deepEqual(tags[2]?.content.json_schema, { type: "object" });
    const choice = { type: "function", function: { name: "add" } };
    const named = await whole({ tools: [ADD, NOW], tool_choice: choice });
    assert.equal(named.finish_reason, "stop");
    assert.equal(named.message.tool_calls?.length, 1);
    const alone = tagOf(requests[1])?.format.tags as unknown[];
    assert.equal(alone.length, 2);
    assert.equal(tagOf(requests[1])?.format.stop_after_first, true);
    assert.equal((await streamed({ tools: [ADD], tool_choice: choice })).reason, "stop");
    assert.equal((await streamed({ tools: [ADD], tool_choice: "required" })).reason, "tool_calls");
  });

  test("strict: false frees the arguments of a forced call, strict: true binds those of a free one", async () => {
    const { whole, requests } = setUp("no");
    const loose = { ...ADD, function: { ...ADD.function, strict: false } };
    await whole({ tools: [loose], tool_choice: "required" });
    const tags = tagOf(requests[0])?.format.tags as readonly { content: { json_schema: unknown } }[];
    assert.deepEqual(tags[0]?.content.json_schema, { type: "object" });
    const strict = { ...ADD, function: { ...ADD.function, strict: true } };
    const answer = await whole({ tools: [strict, NOW] });
    assert.deepEqual([answer.message.content, answer.finish_reason], ["no", "stop"]);
    const free = tagOf(requests[1])?.format;
    assert.equal(free?.type, "triggered_tags");
    assert.deepEqual(free?.triggers, ["<tool_call>"]);
    const format = { type: "json_schema", json_schema: { name: "n", schema: { type: "integer" } } };
    await whole({ tools: [strict], response_format: format });
    assert.equal(tagOf(requests[2])?.format.type, "or");
    await whole({ tools: [ADD], response_format: format });
    assert.deepEqual(requests[3]?.sampling.structuredOutputs?.constraint, {
      kind: "json",
      schema: '{"type":"integer"}',
    });
  });

  test("parallel_tool_calls false: one call is made and shown", async () => {
    const { whole, streamed, requests } = setUp(CALLS);
    const { message } = await whole({ tools: [ADD, NOW], parallel_tool_calls: false });
    assert.equal(message.tool_calls?.length, 1);
    assert.equal(tagOf(requests[0])?.format.stop_after_first, true);
    const { deltas } = await streamed({ tools: [ADD, NOW], parallel_tool_calls: false });
    assert.deepEqual([...new Set(deltas.flatMap((one) => (one.tool_calls ?? []).map(({ index }) => index)))], [0]);
  });

  test("an answer that is cut off ends with length, and has what there is of the arguments", async () => {
    const text = '<tool_call>{"name": "add", "arguments": {"a": 1';
    const { whole, streamed } = setUp(text, CONFIG, "length");
    const { message, finish_reason } = await whole({ tools: [ADD] });
    assert.equal(finish_reason, "length");
    assert.deepEqual(message.tool_calls?.[0]?.function, { name: "add", arguments: '{"a": 1' });
    assert.equal(message.content, null);
    assert.equal((await streamed({ tools: [ADD] })).reason, "length");
  });

  test("none and no tools: text that looks like a call is text", async () => {
    const { whole, streamed } = setUp(CALLS);
    for (const more of [{ tools: [ADD], tool_choice: "none" }, {}, { tools: [ADD], tool_choice: null }]) {
      const { message, finish_reason } = await whole(more);
      assert.deepEqual([message.content, message.tool_calls, finish_reason], [CALLS, undefined, "stop"]);
      assert.equal((await streamed(more)).deltas.map((one) => one.content ?? "").join(""), CALLS);
    }
  });

  test("return_token_ids: every token is in a chunk, also while text is held back", async () => {
    const { post } = setUp(CALLS);
    const response = await post({ tools: [ADD], stream: true, return_token_ids: true });
    const ids = (await readEvents(response)).flatMap(
      (event) =>
        (event as { choices?: readonly { token_ids?: readonly number[] | null }[] }).choices?.[0]?.token_ids ?? [],
    );
    assert.deepEqual(
      ids,
      Array.from(CALLS, (_, index) => index),
    );
  });

  test("refusals in vLLM's words", async () => {
    const { refused } = setUp("hi");
    assert.match(await refused({ tools: [] }), /^`tools` must not be an empty array\. .*\(parameter=tools\)$/);
    assert.match(await refused({ tool_choice: "auto" }), /^When using `tool_choice`, `tools` must be set\./);
    assert.match(await refused({ tool_choice: "required" }), /^When using `tool_choice`, `tools` must be set\./);
    assert.match(
      await refused({ tools: [ADD], tool_choice: "always" }),
      /^Invalid value for `tool_choice`: always! Only/,
    );
    const named = (choice: unknown) => refused({ tools: [ADD], tool_choice: choice });
    assert.match(await named({ type: "function" }), /^Invalid value for `function`: `None` in `tool_choice`! Correct/);
    assert.match(await named({ type: "function", function: {} }), /^Expected field `name` in `function` in/);
    assert.match(await named({ type: "function", function: { name: "" } }), /^Invalid `name` in `function`: `` in/);
    assert.match(await named({ type: "function", function: { name: "sub" } }), /does not match any of the specified/);
    const malformed = (tool: unknown) => refused({ tools: [tool] }, "Bad Request");
    assert.match(await malformed({ type: "function" }), /^tools\.0\.function must be an object with a name/);
    assert.match(await malformed({ type: "web" }), /^tools\.0\.type must be "function", got "web"/);
    assert.match(
      await refused({
        tools: [ADD],
        tool_choice: { type: "function", function: { name: "add" } },
        structured_outputs: { regex: "a" },
      }),
      /^You can only either use constraints for structured outputs or tools, not both\./,
    );
  });

  test("without --enable-auto-tool-choice forced calls work and free ones are refused", async () => {
    const one = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>';
    const { whole, refused } = setUp(one, { toolCallParser: "hermes" });
    assert.equal((await whole({ tools: [ADD], tool_choice: "required" })).finish_reason, "tool_calls");
    assert.match(await refused({ tools: [ADD] }), /^"auto" tool choice requires --enable-auto-tool-choice and/);
  });
});
