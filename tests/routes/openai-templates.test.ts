/** What a request may say about the chat template: vLLM's rule of trust, its order of precedence, numbers as written. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toChatPrompt } from "../../src/http/openai/chat-prompt.ts";
import { parseTrlChat } from "../../src/http/trl/to-request.ts";

const messages = [{ role: "user", content: "a" }];
const trusted = { trustRequestChatTemplate: true };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const UNTRUSTED =
  /^Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with untrusted chat template\.$/;

describe("a request's own template", () => {
  test("is refused in vLLM's words unless the operator trusts it", () => {
    for (const more of [
      { chat_template: "{{ 1 }}" },
      { chat_template: "" },
      { chat_template_kwargs: { chat_template: "{{ 1 }}" } },
    ]) {
      assert.throws(() => toChatPrompt({ messages, ...more }, {}, undefined), { message: UNTRUSTED });
      assert.doesNotThrow(() => toChatPrompt({ messages, ...more }, trusted, undefined));
    }
    assert.throws(
      () => parseTrlChat({ messages: [messages], chat_template: "x" }, { requestId: "r", maxTokensPerRequest: 99 }),
      {
        message: UNTRUSTED,
      },
    );
  });
  test("goes before the one among the variables; neither is a variable", () => {
    const kwargs = { chat_template: "two", tokenize: true, x: 1 };
    const both = toChatPrompt({ messages, chat_template: "one", chat_template_kwargs: kwargs }, trusted, undefined);
    assert.equal(both.chatTemplate, "one");
    assert.deepEqual(both.templateKwargs, { x: 1 });
    assert.equal(toChatPrompt({ messages, chat_template_kwargs: kwargs }, trusted, undefined).chatTemplate, "two");
    assert.equal(toChatPrompt({ messages, chat_template: "" }, trusted, undefined).chatTemplate, undefined);
  });
});

describe("variables of the template", () => {
  test("reasoning_effort sets enable_thinking unless the caller did", () => {
    const kwargsOf = (more: object) => toChatPrompt({ messages, ...more }, {}, undefined).templateKwargs;
    assert.deepEqual(kwargsOf({ reasoning_effort: "none" }), { reasoning_effort: "none", enable_thinking: false });
    assert.deepEqual(kwargsOf({ reasoning_effort: "low", chat_template_kwargs: { enable_thinking: false } }), {
      reasoning_effort: "low",
      enable_thinking: false,
    });
  });
  test("documents come from the field, or from the variables", () => {
    const documents = [{ title: "t", text: "x" }];
    assert.deepEqual(toChatPrompt({ messages, documents }, {}, undefined).documents, documents);
    assert.deepEqual(
      toChatPrompt({ messages, chat_template_kwargs: { documents } }, {}, undefined).documents,
      documents,
    );
    assert.throws(() => toChatPrompt({ messages, chat_template_kwargs: { documents: 5 } }, {}, undefined), /a list/);
  });
  test("numbers keep their form, and only then is it sent along", () => {
    const body =
      '{"messages":[{"role":"user","content":"2.0"}],"chat_template_kwargs":{"a":1.0,"b":12345678901234567890}}';
    const prompt = toChatPrompt(JSON.parse(body), {}, bytesOf(body));
    assert.equal(
      prompt.exact,
      '{"messages":[{"role":"user","content":"2.0"}],"tools":null,"templateKwargs":{"a":1.0,"b":12345678901234567890}}',
    );
    const plain = '{"messages":[{"role":"user","content":"2.0"}],"temperature":1.0}';
    assert.equal(toChatPrompt(JSON.parse(plain), {}, bytesOf(plain)).exact, undefined);
    const trl = '{"messages":[[{"role":"user","content":"a"}]],"chat_template_kwargs":{"a":1.0}}';
    const [first] = parseTrlChat(JSON.parse(trl), { requestId: "r", maxTokensPerRequest: 9999 }, bytesOf(trl)).request
      .prompts;
    assert.match(first?.kind === "chat" ? (first.exact ?? "") : "", /"a":1\.0/);
  });
});

describe("tools for the template", () => {
  const toolsOf = (...tools: unknown[]) => toChatPrompt({ messages, tools }, {}, undefined).tools;
  test("have vLLM's fields in its order", () => {
    const tool = { function: { parameters: { b: 1, a: 2 }, name: "f", strict: true, extra: 1 }, extra: 2 };
    assert.equal(
      JSON.stringify(toolsOf(tool)),
      '[{"type":"function","function":{"name":"f","description":null,"parameters":{"b":1,"a":2},"strict":true}}]',
    );
  });
  test("that are no functions are refused by path", () => {
    assert.throws(
      () => toolsOf({ type: "web_search", function: { name: "f" } }),
      /^GatewayError: tools\.0\.type must be|tools\.0\.type/,
    );
    assert.throws(() => toolsOf({ type: "function" }), /tools\.0\.function/);
    assert.throws(() => toolsOf({ type: "function", function: {} }), /tools\.0\.function\.name/);
  });
});
