/** Forced calls in every format: whatever tokens come, the reader finds calls of the functions, with arguments of their schemas. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { TOOL_PARSERS } from "../../src/contract/openai/tool-parsers.ts";
import { GatewayError } from "../../src/errors.ts";
import { toCallMessage } from "../../src/http/openai/tool-calls/collect.ts";
import { TOOL_FORMATS } from "../../src/http/openai/tool-calls/formats.ts";
import { toToolPlan } from "../../src/http/openai/tool-calls/plan.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { createVocabulary } from "../../src/worker/grammar/vocabulary.ts";
import { createRandom, createWalker } from "../support/grammar-walk.ts";

const model = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../models/tide-nano/trained/${name}`, import.meta.url), "utf8"));
const vocabulary = createVocabulary(
  createTokenizer(model("tokenizer.json"), model("tokenizer_config.json")),
  Number(model("config.json").vocab_size),
);
const SCHEMAS: Readonly<Record<string, Record<string, unknown>>> = {
  add: {
    type: "object",
    properties: { a: { type: "integer", maximum: 99 }, unit: { enum: ["x", 'quote " and {'] } },
    required: ["a", "unit"],
    additionalProperties: false,
  },
  note: {
    type: "object",
    properties: { text: { type: "string", maxLength: 12 }, to: { $ref: "#/$defs/to" } },
    required: ["text"],
    additionalProperties: false,
    $defs: { to: { anyOf: [{ type: "null" }, { type: "array", items: { type: "boolean" }, maxItems: 2 }] } },
  },
};
const tools = (strict: boolean | null) =>
  Object.entries(SCHEMAS).map(([name, parameters]) => ({ name, parameters, strict }));
const ajv = new Ajv2020({ strict: false, ownProperties: true });
const validators = Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, ajv.compile(schema)]));
const random = { uuid: () => "01234567-89ab-4cde-8f01-23456789abcd", float: () => 0.5 };

/** One name for each format. */
const DISTINCT = TOOL_PARSERS.filter(
  (name, index) => TOOL_PARSERS.findIndex((other) => TOOL_FORMATS[other] === TOOL_FORMATS[name]) === index,
);

for (const parser of DISTINCT) {
  describe(`forced calls: ${parser}`, () => {
    const answers = (choice: unknown, strict: boolean | null, single = false): ReturnType<typeof toCallMessage>[] => {
      const fields = { tools: tools(strict), tool_choice: choice, parallel_tool_calls: !single };
      const { plan, structuredOutputs } = toToolPlan(fields, { parser, auto: true }, undefined);
      assert.ok(plan !== undefined && structuredOutputs !== undefined);
      const walker = createWalker(structuredOutputs.constraint, vocabulary);
      const out: ReturnType<typeof toCallMessage>[] = [];
      for (let seed = 0; seed < 6; seed += 1) {
        const text = walker.walk(createRandom(seed), 250);
        if (text !== null) out.push(toCallMessage(plan, random, text, "stop"));
      }
      assert.ok(out.length > 2, "most answers come to an end");
      for (const { calls } of out) {
        for (const call of calls) {
          const validate = validators[call.function.name];
          assert.ok(validate?.(JSON.parse(call.function.arguments)), JSON.stringify(call));
        }
      }
      return out;
    };

    test("required: one call or more, and nothing else", () => {
      const found = answers("required", null);
      for (const { calls, content, reason } of found) {
        assert.ok(calls.length > 0);
        assert.deepEqual([content, reason], ["", "tool_calls"]);
      }
      assert.ok(
        found.some(({ calls }) => calls.length > 1),
        "several calls happen",
      );
    });

    test("named, and parallel_tool_calls false: one call", () => {
      for (const { calls, reason } of answers({ type: "function", function: { name: "note" } }, null)) {
        assert.deepEqual([calls.map((call) => call.function.name), reason], [["note"], "stop"]);
      }
      for (const { calls } of answers("required", null, true)) assert.equal(calls.length, 1);
    });

    test("auto with strict functions: text, or calls that are held to their schemas", () => {
      answers("auto", true);
    });

    test("a schema that cannot be followed is refused by its keyword and the call's tag", () => {
      const odd = [
        { name: "odd", parameters: { type: "object", properties: { a: { $dynamicRef: "#b" } } }, strict: null },
      ];
      const { structuredOutputs } = toToolPlan({ tools: odd, tool_choice: "required" }, { parser }, undefined);
      assert.throws(
        () => createWalker(structuredOutputs?.constraint ?? { kind: "json_object" }, vocabulary),
        (error: unknown) =>
          error instanceof GatewayError && error.status === 400 && /"\$dynamicRef" \(at .*odd/.test(error.message),
      );
    });
  });
}
