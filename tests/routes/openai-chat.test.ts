import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import { candidate, delta, end, finish, position, promptEvent } from "../support/events.ts";
import { createFakeGateway } from "../support/fake-gateway.ts";
import { readRecording, replay, shapeOf } from "../support/recording.ts";
import { createRouteApp } from "../support/route-app.ts";

/** The rendered prompt of most recordings. */
const IDS = [
  1, 85, 392, 352, 201, 59, 81, 87, 260, 278, 260, 487, 16, 2, 201, 1, 391, 201, 20, 395, 312, 223, 31, 223, 33, 2, 201,
  1, 67, 383, 472, 201,
];
const ITH = candidate(325, "ith", -0.7891611456871033, 1);
const OL = candidate(376, "ol", -1.062425136566162, 2);
const PART = candidate(160, "", -1.2373963594436646, 1);
const MY = candidate(411, " my", -1.9896670579910278, 2);
const KN = candidate(410, " kn", -0.5204883813858032, 1);
const DASH = candidate(15, "-", -1.7387624979019165, 2);

const SCORED: GenerateEvent[] = [
  promptEvent(IDS),
  delta("ith", [325], { logprobs: [position(ITH, ITH, OL)] }),
  delta("", [160], { logprobs: [position(PART, PART, MY)] }),
  delta("\ufffd kn", [410], { logprobs: [position(KN, KN, DASH)] }),
  finish(),
  end(),
];
const PLAIN: GenerateEvent[] = [
  promptEvent(IDS),
  delta("ith\ufffd kn answers", [325, 160, 410, 440]),
  delta("eac'", [356, 9]),
  finish(),
  end(),
];

const CASES: Readonly<Record<string, readonly GenerateEvent[]>> = {
  "chat-plain": PLAIN,
  "chat-return-token-ids": PLAIN,
  "chat-tools-none": PLAIN,
  "chat-logprobs": SCORED,
  "chat-top-logprobs-2": SCORED,
  "chat-top-logprobs-as-token-ids": [
    promptEvent(IDS),
    delta("ith", [325, 160], { logprobs: [position(ITH, ITH, OL), position(PART, PART, MY)] }),
    finish(),
    end(),
  ],
  "chat-n2": [
    promptEvent(IDS),
    delta("olnu tr\ufffd syst", [376, 307, 322, 99, 437, 137]),
    delta("ith\ufffd- foxkniv", [325, 160, 15, 428, 364, 359], { sample: 1 }),
    finish({ sample: 1 }),
    finish(),
    end(),
  ],
  "chat-no-generation-prompt": [promptEvent(IDS.slice(0, 27)), delta("ilities", [471]), finish(), end()],
};

function comparable(body: unknown): Record<string, unknown> {
  const { id, created, system_fingerprint, weight_version, weight_digest, ...rest } = body as Record<string, unknown>;
  assert.match(String(id), /^chatcmpl-/);
  return rest;
}

describe("POST /v1/chat/completions on an embedded replica", () => {
  for (const [name, events] of Object.entries(CASES)) {
    test(`answers ${name} as vLLM does`, async () => {
      const recording = readRecording(name);
      const { gateway } = createFakeGateway({ script: () => events });
      const response = await replay(createRouteApp(openaiRoutes, gateway), recording);
      const body = await response.json();
      assert.equal(response.status, 200, JSON.stringify(body));
      assert.deepEqual(comparable(body), comparable(recording.response.body));
    });
  }

  test("puts prompt_logprobs at the top, as vLLM does", async () => {
    const recording = readRecording("chat-prompt-logprobs");
    const first = position(candidate(85, "s", -13.7, 332));
    const script = () => [promptEvent([1, 85], { logprobs: [null, first] }), delta("ith", [325]), finish(), end()];
    const { gateway } = createFakeGateway({ script });
    const body = (await (await replay(createRouteApp(openaiRoutes, gateway), recording)).json()) as Record<
      string,
      unknown
    >;
    const recorded = recording.response.body as Record<string, unknown>;
    assert.deepEqual(body.prompt_logprobs, [null, { "85": { logprob: -13.7, rank: 332, decoded_token: "s" } }]);
    const keys = (value: Record<string, unknown>) =>
      Object.keys(value)
        .filter((key) => !key.startsWith("weight_"))
        .sort();
    assert.deepEqual(keys(body), keys(recorded));
    assert.deepEqual(shapeOf(body.choices), shapeOf(recorded.choices));
  });

  test("hands messages, tools and template settings on as they are", async () => {
    const { gateway, requests } = createFakeGateway();
    const app = createRouteApp(openaiRoutes, gateway);
    const messages = [
      { role: "wizard", content: [{ type: "text", text: "a" }], name: "w" },
      { role: "assistant", content: null, tool_calls: [] },
    ];
    const tools = [{ type: "function", function: { name: "add" } }];
    const response = await app.post("/v1/chat/completions", {
      messages,
      tools,
      tool_choice: "none",
      add_generation_prompt: false,
      continue_final_message: true,
      chat_template_kwargs: { enable_thinking: false },
      max_completion_tokens: 3,
      max_tokens: 9,
      response_format: { type: "text" },
    });
    assert.equal(response.status, 200);
    assert.deepEqual(requests[0]?.prompts, [
      {
        kind: "chat",
        messages,
        // As vLLM shows them to the template.
        tools: [{ type: "function", function: { name: "add", description: null, parameters: null } }],
        addGenerationPrompt: false,
        continueFinalMessage: true,
        templateKwargs: { enable_thinking: false },
        addSpecialTokens: false,
      },
    ]);
    assert.equal(requests[0]?.sampling.maxTokens, 3);
  });
});
