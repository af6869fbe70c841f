import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toCompletionsBody } from "../../src/engine/vllm/to-completions.ts";
import { GatewayError } from "../../src/errors.ts";
import { parseChat } from "../../src/http/openai/chat-request.ts";
import { parseCompletion } from "../../src/http/openai/completion-request.ts";

const context = { requestId: "r", created: 0, maxTokensPerRequest: 1_000_000 };
const completion = (fields: Record<string, unknown>) =>
  parseCompletion({ prompt: "a", ...fields }, context).request.sampling;
const chat = (fields: Record<string, unknown>) =>
  parseChat({ messages: [{ role: "user", content: "a" }], ...fields }, context).request.sampling;

function refusal(work: () => unknown): { readonly message: string; readonly param: string | undefined } {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.status, 400);
    return { message: error.message, param: error.details.param };
  }
  throw new Error("accepted");
}

describe("structured outputs of a request", () => {
  test("each kind becomes one neutral constraint", () => {
    const of = (fields: Record<string, unknown>) =>
      completion({ structured_outputs: fields }).structuredOutputs?.constraint;
    assert.deepEqual(of({ json: { type: "object" } }), { kind: "json", schema: '{"type":"object"}' });
    assert.deepEqual(of({ json: '{"type": "object"}' }), { kind: "json", schema: '{"type": "object"}' });
    assert.deepEqual(of({ regex: "a+" }), { kind: "regex", pattern: "a+" });
    assert.deepEqual(of({ choice: ["a", "b"] }), { kind: "choice", choices: ["a", "b"] });
    assert.deepEqual(of({ grammar: 'root ::= "a"' }), { kind: "grammar", grammar: 'root ::= "a"' });
    assert.deepEqual(of({ json_object: true }), { kind: "json_object" });
    const format = { type: "any_text" };
    assert.deepEqual(of({ structural_tag: { type: "structural_tag", format } }), {
      kind: "structural_tag",
      tag: JSON.stringify({ type: "structural_tag", format }),
    });
    assert.equal(completion({}).structuredOutputs, undefined);
  });

  test("response_format says the same in OpenAI's words", () => {
    const of = (response_format: unknown) => chat({ response_format }).structuredOutputs;
    assert.equal(of({ type: "text" }), undefined);
    assert.deepEqual(of({ type: "json_object" })?.constraint, { kind: "json_object" });
    const schema = { type: "integer" };
    const named = of({ type: "json_schema", json_schema: { name: "n", schema } });
    assert.deepEqual(named, { constraint: { kind: "json", schema: JSON.stringify(schema) }, param: "response_format" });
    assert.equal(of({ type: "structural_tag", format: { type: "any_text" } })?.constraint.kind, "structural_tag");
    assert.equal(
      refusal(() => of({ type: "json_schema" })).message,
      "When response_format type is 'json_schema', the 'json_schema' field must be provided.",
    );
    assert.match(refusal(() => of({ type: "yaml" })).message, /response_format.type must be one of/);
  });

  test("one constraint, not two and not none, as vLLM words it", () => {
    const two = { structured_outputs: { regex: "a", choice: ["a"] } };
    assert.deepEqual(
      refusal(() => completion(two)),
      {
        message:
          "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice'). (parameter=structured_outputs)",
        param: "structured_outputs",
      },
    );
    assert.equal(refusal(() => chat(two)).param, undefined);
    assert.match(refusal(() => completion({ structured_outputs: {} })).message, /none are specified/);
    const mixed = { structured_outputs: { regex: "a" }, response_format: { type: "json_object" } };
    assert.match(refusal(() => chat(mixed)).message, /multiple are specified/);
    assert.match(
      refusal(() => completion({ structured_outputs: { grammar: " " } })).message,
      /cannot be an empty string/,
    );
    assert.match(refusal(() => completion({ structured_outputs: { json_object: false } })).message, /must be True/);
    assert.equal(
      refusal(() => completion({ structured_outputs: { choice: [] } })).message,
      "Choice '[]' cannot be an empty list",
    );
  });

  test("goes on to a vLLM server in its own words", () => {
    const request = parseCompletion({ prompt: "a", structured_outputs: { choice: ["x"] } }, context).request;
    const body = toCompletionsBody(request, ["a"], { addSpecialTokens: true, maxModelLen: 10 });
    assert.deepEqual(body.structured_outputs, { choice: ["x"] });
  });
});
