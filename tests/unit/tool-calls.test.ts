/** Reading tool calls: what comes out depends on the text alone, not on where it was cut, and is what vLLM's parsers find. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { TOOL_PARSERS, type ToolParserName } from "../../src/contract/openai/tool-parsers.ts";
import { TOOL_FORMATS } from "../../src/http/openai/tool-calls/formats.ts";
import type { ToolPiece } from "../../src/http/openai/tool-calls/types.ts";

interface Case {
  readonly parser: ToolParserName;
  readonly text: string;
  readonly content: string | null;
  readonly calls: readonly { readonly name: string; readonly arguments: unknown }[];
}

const CASES = JSON.parse(
  readFileSync(new URL("../fixtures/tool-calls/vllm.json", import.meta.url), "utf8"),
) as readonly Case[];

interface Found {
  content: string;
  readonly calls: { readonly name: string; arguments: string }[];
}

/** Reads pieces as a client does. */
function gather(pieces: Iterable<ToolPiece>): Found {
  const found: Found = { content: "", calls: [] };
  for (const piece of pieces) {
    if (piece.kind === "content") {
      assert.equal(found.calls.length, 0, "content after a call");
      found.content += piece.text;
    } else if (piece.kind === "call") {
      assert.equal(piece.index, found.calls.length);
      found.calls.push({ name: piece.name, arguments: "" });
    } else {
      const call = found.calls[piece.index];
      assert.ok(call !== undefined && piece.index === found.calls.length - 1);
      call.arguments += piece.text;
    }
  }
  return found;
}

function read(parser: ToolParserName, chunks: readonly string[]): Found {
  const reader = TOOL_FORMATS[parser].open();
  const pieces = chunks.flatMap((chunk) => [...reader.push(chunk)]);
  return gather([...pieces, ...reader.finish()]);
}

/** Cuts a text at the given places. */
function cut(text: string, places: readonly number[]): string[] {
  const characters = Array.from(text);
  const at = [...new Set(places.map((place) => place % (characters.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => characters.slice(from, at[index] ?? characters.length).join(""));
}

/** Texts around calls, broken ones too. */
const FRAGMENTS = [
  "<tool_call>",
  "</tool_call>",
  "<tool_",
  "<",
  "\n",
  '{"name": "add", "arguments": {"a": 1}}',
  '{"arguments": {"s": "}\\"]</tool_call>"}, "name": "b"}',
  '{"name": "add", "parameters": {"a": [1, {}]}}',
  '{"name": 5, "arguments": {}}',
  '{"name": "add"}',
  '{"name": "x", "arguments": {"a"',
  "{",
  "}",
  "; ",
  '"',
  "<|python_tag|>",
  "[TOOL_CALLS]",
  "[",
  "]",
  ", ",
  "[ARGS]",
  "add",
  "plain words ",
  "é😀",
];

describe("tool calls in texts", () => {
  for (const name of TOOL_PARSERS) {
    test(`${name}: any chunking gives the same content and calls`, () => {
      fc.assert(
        fc.property(
          fc.array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ maxLength: 3 })), { maxLength: 10 }),
          fc.array(fc.nat({ max: 400 }), { maxLength: 12 }),
          (parts, places) => {
            const text = parts.join("");
            const whole = read(name, [text]);
            assert.deepEqual(read(name, cut(text, places)), whole);
            assert.deepEqual(read(name, Array.from(text)), whole);
          },
        ),
        { numRuns: 400 },
      );
    });

    test(`${name}: a text that has no call is content, all of it`, () => {
      fc.assert(
        fc.property(fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 8 }), (parts) => {
          const text = parts.join("");
          const { content, calls } = read(name, Array.from(text));
          if (calls.length === 0) assert.equal(content, text);
          else assert.ok(text.startsWith(content));
        }),
        { numRuns: 400 },
      );
    });
  }

  test("finds what vLLM 0.32's parsers find", () => {
    const known = CASES.filter(({ parser }) => TOOL_PARSERS.includes(parser));
    assert.ok(known.length > 40);
    for (const { parser, text, content, calls } of known) {
      const found = read(parser, Array.from(text));
      const parsed = found.calls.map((call) => ({ name: call.name, arguments: JSON.parse(call.arguments) }));
      assert.deepEqual(parsed, calls, text);
      // vLLM's server leaves out what is white space alone beside calls.
      const expected = calls.length > 0 && (content ?? "").trim() === "" ? "" : (content ?? "");
      assert.equal(found.content, expected, text);
    }
  });

  test("hermes: arguments are told while they come, the name once", () => {
    const reader = TOOL_FORMATS.hermes.open();
    assert.deepEqual(reader.push('Hi<tool_call>{"name": "f", "argu'), [{ kind: "content", text: "Hi" }]);
    assert.deepEqual(reader.push('ments": {"a'), [
      { kind: "call", index: 0, name: "f" },
      { kind: "arguments", index: 0, text: '{"a' },
    ]);
    assert.deepEqual(reader.push('": "</tool_call>"'), [{ kind: "arguments", index: 0, text: '": "</tool_call>"' }]);
    assert.deepEqual(reader.push("} }</tool_call>"), [{ kind: "arguments", index: 0, text: "}" }]);
    assert.deepEqual(reader.finish(), []);
  });

  test("mistral: names before arguments, one mark for each call", () => {
    for (const text of [
      'Sure. [TOOL_CALLS]add[ARGS]{"a": {"b": "}"}}[TOOL_CALLS]now[ARGS]{}',
      'Sure. [TOOL_CALLS]add{"a": {"b": "}"}}[TOOL_CALLS]now{}',
    ]) {
      assert.deepEqual(read("mistral", [text]), {
        content: "Sure. ",
        calls: [
          { name: "add", arguments: '{"a": {"b": "}"}}' },
          { name: "now", arguments: "{}" },
        ],
      });
    }
  });

  test("llama3_json: an answer in JSON that is no call stays an answer", () => {
    const text = '{"result": {"name": "x", "parameters": {}}}';
    assert.deepEqual(read("llama3_json", Array.from(text)), { content: text, calls: [] });
    assert.deepEqual(read("llama3_json", ['<|python_tag|> {"name": "x", "parameters": {}}']), {
      content: "",
      calls: [{ name: "x", arguments: "{}" }],
    });
  });

  test("ids: vLLM's, and Mistral's own", () => {
    const random = { uuid: () => "01234567-89ab-4cde-8f01-23456789abcd", float: () => 0.5 };
    assert.equal(TOOL_FORMATS.hermes.makeId(random), "chatcmpl-tool-8f0123456789abcd");
    assert.equal(TOOL_FORMATS.mistral.makeId(random), "FFFFFFFFF");
  });
});
