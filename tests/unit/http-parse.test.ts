/** Whatever JSON a client sends, parsing gives a request or a GatewayError that is the client's own fault. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { parseChat } from "../../src/http/openai/chat-request.ts";
import { parseCompletion } from "../../src/http/openai/completion-request.ts";
import { hasEmptyList } from "../../src/http/trl/empty-list.ts";
import { parseScoring } from "../../src/http/trl/sequence-logprobs.ts";
import { parseTrlChat, parseTrlGenerate } from "../../src/http/trl/to-request.ts";
import { parseWishes } from "../../src/http/wishes.ts";

const around = { requestId: "r", created: 1, maxTokensPerRequest: 1_000_000, trustRequestChatTemplate: true };

const FIELDS = [
  "model",
  "n",
  "temperature",
  "top_p",
  "top_k",
  "stop",
  "stop_token_ids",
  "logit_bias",
  "logprobs",
  "top_logprobs",
  "prompt_logprobs",
  "max_tokens",
  "echo",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
  "response_format",
  "best_of",
  "modalities",
  "chat_template",
  "chat_template_kwargs",
  "documents",
  "reasoning_effort",
  "generation_kwargs",
  "prompt_lengths",
  "top_logprobs",
  "truncate_prompt_tokens",
  "images",
  "__proto__",
  "constructor",
];

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(null, 0, -1, 1, 2.5, "", "none", true, [], {}, [[]], [0], ["a"], 1e300, { type: "text" }),
);
const message = fc.oneof(fc.record({ role: fc.string(), content: value }), value);

/** Bodies with known names and wild values. */
const body = (own: Record<string, fc.Arbitrary<unknown>>) =>
  fc
    .tuple(fc.record(own, { requiredKeys: [] }), fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 6 }))
    .map(([mine, wild]) => JSON.parse(JSON.stringify({ ...wild, ...mine })) as Record<string, unknown>);

function check(parse: (sent: Record<string, unknown>) => unknown, sent: Record<string, unknown>): void {
  try {
    assert.ok(parse(sent));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    assert.ok(error.status >= 400 && error.status < 500, error.message);
    assert.ok(error.message.length > 0 && error.message.length < 1000);
  }
}

const bytesOf = (sent: Record<string, unknown>): Uint8Array => new TextEncoder().encode(JSON.stringify(sent));

const PARSERS = {
  completions: { parse: (sent: Record<string, unknown>) => parseCompletion(sent, around), own: { prompt: value } },
  chat: {
    parse: (sent: Record<string, unknown>) => parseChat(sent, around, bytesOf(sent)),
    own: { messages: fc.array(message) },
  },
  generate: { parse: (sent: Record<string, unknown>) => parseTrlGenerate(sent, around), own: { prompts: value } },
  trlChat: {
    parse: (sent: Record<string, unknown>) => parseTrlChat(sent, around, bytesOf(sent)),
    own: { messages: fc.array(fc.array(message)) },
  },
  scoring: { parse: (sent: Record<string, unknown>) => parseScoring(sent, around), own: { sequences: value } },
};

describe("parsing of generation requests", () => {
  for (const [name, { parse, own }] of Object.entries(PARSERS)) {
    test(`${name}: any JSON object is understood or refused, never an accident`, () => {
      fc.assert(
        fc.property(body(own), (sent) => check(parse, sent)),
        { numRuns: 500 },
      );
    });
  }

  test("the empty list is found in any spelling, and nothing else is taken for it", () => {
    const space = fc.constantFrom("", " ", "\n\t ");
    fc.assert(
      fc.property(value, space, (prompts, gap) => {
        const text = JSON.stringify({ a: [1], prompts }).replace('"prompts":[]', `"prompts":${gap}[${gap}]`);
        const empty = Array.isArray(prompts) && prompts.length === 0;
        assert.equal(hasEmptyList(new TextEncoder().encode(text), "prompts"), empty);
      }),
    );
  });

  test("freshness headers: a version or a refusal that names the header", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789.-+e x") }), (text) => {
        try {
          const { minVersion } = parseWishes(new Headers({ "x-min-weight-version": text }));
          assert.ok(Number.isSafeInteger(minVersion) && (minVersion ?? -1) >= 0);
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
          assert.equal(error.details.param, "x-min-weight-version");
        }
      }),
    );
  });
});
