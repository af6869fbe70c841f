/** Which template of a set is taken, and what a conversation becomes before it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChatMessage } from "../../src/contract/generation.ts";
import { toKnownRoles, toTemplateMessages } from "../../src/text/messages.ts";
import { createTemplateSet } from "../../src/text/template-set.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";

describe("template sets", () => {
  const set = createTemplateSet({ default: "D", tool_use: "T", rag: "R" });
  test("take tool_use when tools are given, default else, and a name when it is asked for", () => {
    assert.equal(set.choose(undefined, false).source, "D");
    assert.equal(set.choose(undefined, true).source, "T");
    assert.equal(set.choose("rag", true).source, "R");
    assert.equal(set.choose("{{ 1 }}", true).source, "{{ 1 }}");
    assert.equal(createTemplateSet({ default: "D" }).choose(undefined, true).source, "D");
    assert.equal(createTemplateSet("single").choose(undefined, true).source, "single");
  });
  test("refuse a set without a default, naming what there is", () => {
    assert.throws(
      () => createTemplateSet({ b: "B", a: "A" }).choose(undefined, false),
      /multiple chat templates with no default.*a, b\./,
    );
    assert.throws(() => createTemplateSet(null).choose(undefined, false), /must provide a chat template/);
  });
  test("keep a request's template parsed", () => {
    assert.equal(set.choose("{{ 2 }}", false), set.choose("{{ 2 }}", false));
    for (let at = 0; at < 40; at += 1) set.choose(`{{ ${at} }}!`, false);
    assert.equal(set.choose("{{ 39 }}!", false), set.choose("{{ 39 }}!", false));
  });
});

describe("messages for a template", () => {
  const call = (args: unknown): ChatMessage => ({
    role: "assistant",
    content: null,
    tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: args } }],
  });
  const argumentsOf = (args: unknown): unknown => {
    const [message] = toTemplateMessages([call(args)], "string");
    const calls = message?.tool_calls as { function: { arguments: unknown } }[] | undefined;
    return calls?.[0]?.function.arguments;
  };
  test("arguments are objects, whatever the history holds", () => {
    assert.deepEqual(argumentsOf('{"a":1}'), { a: 1 });
    for (const odd of ["{", "[]", "42", "", null]) assert.deepEqual(argumentsOf(odd), {}, String(odd));
    assert.throws(
      () => toTemplateMessages([{ role: "assistant", tool_calls: [5] }], "string"),
      /messages\.0\.tool_calls\.0 must be a call/,
    );
    const [empty] = toTemplateMessages([{ role: "assistant", content: "a", tool_calls: [] }], "string");
    assert.equal(empty?.tool_calls, undefined);
  });
  test("what a tool answered is text, also for templates that walk parts", () => {
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ];
    const [tool] = toTemplateMessages([{ role: "tool", content: parts }], "parts");
    assert.equal(tool?.content, "a\nb");
  });
  test("developers are system to a template that does not know them, in one message in front", () => {
    const messages = [
      { role: "system", content: "one" },
      { role: "user", content: "hi" },
      { role: "developer", content: [{ type: "text", text: "two" }], tools: [] },
    ];
    assert.deepEqual(toKnownRoles(messages, "{{ messages }}"), [
      { role: "system", content: "one\n\ntwo" },
      { role: "user", content: "hi" },
    ]);
    assert.deepEqual(toKnownRoles(messages, "{% if m.role == 'developer' %}"), messages);
  });
});

test("spaces are cleaned up where the configuration asks and the model is no BPE", () => {
  const parts = (type: string) => ({
    model: type === "BPE" ? { type, vocab: { "a .": 0 }, merges: [] } : { type, vocab: [["a .", -1]], unk_id: 0 },
  });
  const cleaning = { clean_up_tokenization_spaces: true };
  assert.equal(createTokenizer(parts("Unigram"), cleaning).decodeClean([0], false), "a.");
  assert.equal(createTokenizer(parts("Unigram"), {}).decodeClean([0], false), "a .");
  assert.equal(createTokenizer(parts("BPE"), cleaning).decodeClean([0], false), "a .");
});
