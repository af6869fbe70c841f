import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { createChatTemplate, type RenderOptions } from "../../src/text/chat-template.ts";
import { parsePythonJson } from "../../src/text/json.ts";
import { toTemplateMessages } from "../../src/text/messages.ts";
import { toPythonTime } from "../../src/text/python-time.ts";

interface Case {
  name: string;
  input: {
    template?: string;
    template_text?: string;
    messages: Record<string, unknown>[];
    tools?: unknown[];
    documents?: unknown[];
    add_generation_prompt?: boolean;
    continue_final_message?: boolean | string;
    special_tokens?: Record<string, string>;
    kwargs?: Record<string, unknown>;
  };
  expected: { text?: string; error?: { type: string; message: string }; generation_spans?: [number, number][] };
}

const file = (name: string): string =>
  readFileSync(new URL(`../fixtures/chat-template/${name}`, import.meta.url), "utf8");
const now = new Date(2026, 6, 4, 13, 5, 9);

const optionsOf = (input: Case["input"]): RenderOptions => ({
  messages: input.messages,
  tools: input.tools ?? null,
  documents: input.documents ?? null,
  addGenerationPrompt: input.add_generation_prompt ?? false,
  continueFinalMessage: input.continue_final_message ?? false,
  variables: { ...input.special_tokens, ...input.kwargs },
  now,
});

describe("chat templates render as transformers does", () => {
  const cases = ["cases.json", "conversations.json"].flatMap(
    (name) => (parsePythonJson(file(name)) as { cases: Case[] }).cases,
  );
  for (const { name, input, expected } of cases) {
    test(name, () => {
      const template = createChatTemplate(input.template_text ?? file(`templates/${input.template}.jinja`));
      const options = optionsOf(input);
      if (expected.error === undefined) {
        assert.equal(template.render(options), expected.text);
        if (expected.generation_spans !== undefined) {
          assert.deepEqual(template.renderSpans(options).generationSpans, expected.generation_spans);
        }
        return;
      }
      assert.throws(
        () => template.render(options),
        (error: unknown) => {
          assert.ok(error instanceof GatewayError);
          assert.equal(error.status, 400);
          if (expected.error?.type === "TemplateError") assert.equal(error.message, expected.error.message);
          return true;
        },
      );
    });
  }
});

test("filters, tests, methods and statements give what jinja2 gives", () => {
  const { cases, context } = parsePythonJson(file("differential.json")) as {
    cases: { template: string; text?: string; error?: string; message?: string }[];
    context: Record<string, unknown> & { msgs: Record<string, unknown>[] };
  };
  for (const { template, text, error, message } of cases) {
    const render = (): string =>
      createChatTemplate(template).render({
        messages: context.msgs,
        addGenerationPrompt: true,
        continueFinalMessage: false,
        variables: context,
        now,
      });
    if (error === undefined) assert.equal(render(), text, template);
    else {
      assert.throws(
        render,
        (thrown: unknown) =>
          thrown instanceof GatewayError && (error !== "TemplateError" || thrown.message === message),
        template,
      );
    }
  }
});

describe("a hostile template is stopped", () => {
  const loops = (depth: number): string =>
    `${"{% for i in range(1000) %}".repeat(depth)}x${"{% endfor %}".repeat(depth)}`;
  const hostile: Record<string, string> = {
    "nested loops": loops(5),
    "a loop without text": `{% for i in range(99999) %}${"{% for j in range(99999) %}".repeat(2)}{% endfor %}{% endfor %}{% endfor %}`,
    "string doubling":
      "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    "list doubling": "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    repetition: "{{ 'a' * 10**12 }}",
    "a long range": "{{ range(10**9) | list }}",
    "a large power": "{{ 10 ** (10 ** 7) }}",
    "squares of squares":
      "{% set ns = namespace(n=9) %}{% for i in range(40) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    "a wide field": "{{ '%999999999d' % 1 }}",
    "a wide replacement field": "{{ '{:>999999999}'.format(1) }}",
    centering: "{{ 'a' | center(10**10) }}",
    indentation: "{{ 'a\nb' | indent(10**10) }}",
    "zero filling": "{{ 'a'.zfill(10**10) }}",
    batches: "{{ [1] | batch(10**10, 0) | list }}",
    slices: "{{ [1] | slice(10**10) | list }}",
    replacement: "{% set s = 'a' * 10**6 %}{{ s.replace('', s) }}",
    joining: "{% set s = 'a' * 10**6 %}{{ s | join(s) }}",
    searching:
      "{% set s = 'a' * 10**6 %}{% for i in range(99999) %}{% if s.find('b') > 0 or s.count('b') %}{% endif %}{% endfor %}",
    recursion: "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "an exponential macro":
      "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(90) }}",
    "nested brackets": `{{ ${"(".repeat(5000)}1${")".repeat(5000)} }}`,
    "nested lists": `{{ ${"[".repeat(5000)}${"]".repeat(5000)} }}`,
    "nested ifs": `${"{% if 1 %}".repeat(5000)}${"{% endif %}".repeat(5000)}`,
    "a chain of operators": `{{ 1${"+1".repeat(50_000)} }}`,
    "a chain of nots": `{{ ${"not ".repeat(50_000)}1 }}`,
    "a chain of attributes": `{{ messages${"[0]".repeat(50_000)} }}`,
    "json of a deep value":
      "{% set ns = namespace(s=[]) %}{% for i in range(5000) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s | tojson }}",
    "an unclosed tag": `{{ ${"{".repeat(20_000)}`,
  };
  for (const [name, source] of Object.entries(hostile)) {
    test(name, () => {
      assert.throws(
        () => createChatTemplate(source).render({ ...plain, messages: [{ role: "user", content: "a" }] }),
        (error: unknown) => error instanceof GatewayError && error.status === 400,
      );
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
    // As vLLM: a history that holds broken arguments does not end the conversation.
    const broken = { ...call, function: { name: "f", arguments: "{" } };
    const [mended] = toTemplateMessages([{ role: "assistant", tool_calls: [broken] }], "string");
    assert.deepEqual(mended?.tool_calls, [{ ...call, function: { name: "f", arguments: {} } }]);
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
