import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { createChatTemplate } from "../../src/text/chat-template.ts";
import { toTemplateMessages } from "../../src/text/messages.ts";
import { toPythonTime } from "../../src/text/python-time.ts";

interface Case {
  name: string;
  input: {
    template: string;
    messages: Record<string, unknown>[];
    tools?: unknown[];
    documents?: unknown[];
    add_generation_prompt?: boolean;
    continue_final_message?: boolean;
    special_tokens?: Record<string, string>;
    kwargs?: Record<string, unknown>;
  };
  expected: { text?: string; error?: { type: string; message: string } };
}

const file = (name: string): string =>
  readFileSync(new URL(`../fixtures/chat-template/${name}`, import.meta.url), "utf8");
const now = new Date(2026, 6, 4, 13, 5, 9);

describe("chat templates render as transformers does", () => {
  const { cases } = JSON.parse(file("cases.json")) as { cases: Case[] };
  for (const { name, input, expected } of cases) {
    test(name, () => {
      const render = (): string =>
        createChatTemplate(file(`templates/${input.template}.jinja`)).render({
          messages: input.messages,
          tools: input.tools ?? null,
          documents: input.documents ?? null,
          addGenerationPrompt: input.add_generation_prompt ?? false,
          continueFinalMessage: input.continue_final_message ?? false,
          variables: { ...input.special_tokens, ...input.kwargs },
          now,
        });
      if (expected.error === undefined) {
        assert.equal(render(), expected.text);
        return;
      }
      assert.throws(render, (error: unknown) => {
        assert.ok(error instanceof GatewayError);
        assert.equal(error.status, 400);
        if (expected.error?.type === "TemplateError") assert.equal(error.message, expected.error.message);
        return true;
      });
    });
  }
});

const plain = { addGenerationPrompt: false, continueFinalMessage: false, variables: {}, now };

test("a template that cannot be parsed is refused when it is used", () => {
  const template = createChatTemplate("{% for x in %}");
  assert.throws(
    () => template.render({ ...plain, messages: [{ role: "user", content: "a" }] }),
    (error: unknown) => error instanceof GatewayError && error.code === "unsupported",
  );
});

test("range is bounded", () => {
  const template = createChatTemplate("{{ range(messages[0].n) | length }}");
  assert.equal(template.render({ ...plain, messages: [{ role: "user", n: 3 }] }), "3");
  assert.throws(() => template.render({ ...plain, messages: [{ role: "user", n: 1e12 }] }), /Range too big/);
});

test("strftime_now speaks Python's codes", () => {
  const template = createChatTemplate("{{ strftime_now('%d %b %Y %H:%M') }}");
  assert.equal(template.render({ ...plain, messages: [{ role: "user" }] }), "04 Jul 2026 13:05");
  assert.equal(
    toPythonTime(now, "%A %-d %B %y, %I:%M:%S %p, day %j, 100%%, %Q"),
    "Saturday 4 July 26, 01:05:09 PM, day 185, 100%, %Q",
  );
});

describe("messages for templates", () => {
  const parts = [
    { type: "text", text: "a" },
    { type: "text", text: "b" },
  ];
  test("content parts are joined, or kept where the template walks them", () => {
    assert.equal(createChatTemplate("{{ messages[0].content }}").contentFormat, "string");
    const walking = "{% for m in messages %}{% for part in m['content'] %}{{ part.text }};{% endfor %}{% endfor %}";
    assert.equal(createChatTemplate(walking).contentFormat, "parts");
    const messages = [{ role: "user", content: parts }];
    assert.equal(toTemplateMessages(messages, "string")[0]?.content, "a\nb");
    assert.deepEqual(toTemplateMessages(messages, "parts")[0]?.content, parts);
  });
  test("a missing content is empty text", () => {
    assert.equal(toTemplateMessages([{ role: "user" }], "string")[0]?.content, "");
  });
  test("arguments of tool calls become objects", () => {
    const call = { id: "1", type: "function", function: { name: "f", arguments: '{"x": 1}' } };
    const [message] = toTemplateMessages([{ role: "assistant", content: "", tool_calls: [call] }], "string");
    assert.deepEqual(message?.tool_calls, [{ ...call, function: { name: "f", arguments: { x: 1 } } }]);
    const broken = { ...call, function: { name: "f", arguments: "{" } };
    assert.throws(
      () => toTemplateMessages([{ role: "assistant", tool_calls: [broken] }], "string"),
      /arguments must be JSON/,
    );
  });
  test("a picture is refused with the place of it", () => {
    const image = { type: "image_url", image_url: { url: "data:" } };
    assert.throws(
      () => toTemplateMessages([{ role: "user", content: [image] }], "string"),
      (error: unknown) =>
        error instanceof GatewayError &&
        error.details.param === "messages.0.content.0.type" &&
        /not a multimodal model/.test(error.message),
    );
  });
});
