import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeGateway } from "../support/fake-gateway.ts";
import { readRecording, replay } from "../support/recording.ts";
import { createRouteApp } from "../support/route-app.ts";

interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: number };
}

/** Recorded refusals → what our message must name. Status and key set are vLLM's. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "completions-n-0": /^n must be at least 1, got 0/,
  "completions-n2-greedy": /^n must be 1 when using greedy sampling.*got 2/,
  "completions-no-prompt": /^prompt is required/,
  "completions-prompt-null": /^prompt is required/,
  "completions-prompt-empty-list": /^prompt must not be empty/,
  "completions-prompt-empty-string": /^prompt must not be empty/,
  "completions-prompt-empty-inner-list": /^prompt.0 must not be empty/,
  "completions-prompt-mixed": /^prompt.1 must be of the same kind/,
  "completions-prompt-number": /^prompt must be a text.*got 5/,
  "completions-prompt-token-negative": /^prompt.1 must be a token id.*got -1/,
  "completions-max-tokens-0": /^max_tokens must be at least 1.*got 0/,
  "completions-max-tokens-minus-1": /^max_tokens must be at least 0, got -1/,
  "completions-temperature-3": /^temperature must be at most 2, got 3/,
  "completions-temperature-negative": /^temperature must be at least 0, got -1/,
  "completions-temperature-string": /^temperature must be a number, got "hot"/,
  "completions-top-k-minus-2": /^top_k must be at least -1, got -2/,
  "completions-top-p-0": /^top_p must be above 0, got 0/,
  "completions-malformed-json": /not valid JSON/,
  "completions-empty-body": /^body is required/,
  "completions-array-body": /^body must be a JSON object/,
  "completions-stream-options-without-stream": /^stream_options must be left out unless stream is true/,
  "completions-prompt-logprobs-stream": /^prompt_logprobs must be left out when stream is true/,
  "chat-bad-temperature": /^temperature must be at least 0, got -1/,
  "chat-messages-empty": /^messages must be a list of at least one message/,
  "chat-messages-string": /^messages must be an array, got "hello"/,
  "chat-no-messages": /^messages is required: an array/,
  "chat-malformed-json": /not valid JSON/,
  "chat-tools-auto": /^"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set$/,
  "chat-tools-named": /^tool_choice=function "add" requires --tool-call-parser to be set$/,
  "chat-tools-named-unknown": /^The tool specified in `tool_choice` does not match any of the specified `tools` \(par/,
  "chat-tools-required": /^tool_choice="required" requires --tool-call-parser to be set$/,
  "chat-template-in-request": /--trust-request-chat-template is not set/,
  "chat-continue-and-generation-prompt": /Cannot set both `continue_final_message` and `add_generation_prompt`/,
  "chat-top-logprobs-without-logprobs": /^top_logprobs must be left out unless logprobs is true/,
  "chat-image-to-text-model": /^messages.0.content.0.type "image_url" is not supported/,
  "tokenize-bad-body": /^prompt is required: a string/,
  "tokenize-malformed-json": /not valid JSON/,
  "detokenize-strings": /^tokens.0 must be .*number.*got "a"/,
  "detokenize-negative": /^tokens.0 must be at least 0, got -1/,
  "detokenize-huge": /^tokens.0 must be at most 4294967295/,
};

describe("refusals of embedded replicas", () => {
  for (const [name, message] of Object.entries(REFUSED)) {
    test(`refuses ${name} with vLLM's status and shape`, async () => {
      const recording = readRecording(name);
      const { gateway, requests } = createFakeGateway();
      const response = await replay(createRouteApp(openaiRoutes, gateway), recording);
      assert.equal(response.status, recording.response.status);
      const body = (await response.json()) as ErrorBody;
      const recorded = recording.response.body as ErrorBody;
      assert.deepEqual(Object.keys(body), Object.keys(recorded));
      assert.deepEqual(Object.keys(body.error), Object.keys(recorded.error));
      assert.match(body.error.message, message);
      assert.equal(body.error.type, recorded.error.type);
      assert.equal(body.error.code, recorded.error.code);
      assert.equal(requests.length, 0);
    });
  }

  const UNSUPPORTED: readonly (readonly [path: string, body: Record<string, unknown>, param: string])[] = [
    ["/v1/completions", { guided_regex: "[0-9]" }, "guided_regex"],
    ["/v1/completions", { guided_json: {}, guided_choice: ["a"] }, "guided_choice"],
    ["/v1/completions", { suffix: "end" }, "suffix"],
    ["/v1/completions", { use_beam_search: true }, "use_beam_search"],
    ["/v1/completions", { best_of: 4 }, "best_of"],
    ["/v1/completions", { prompt_embeds: "AAAA" }, "prompt_embeds"],
    ["/v1/completions", { logprob_token_ids: [1] }, "logprob_token_ids"],
    ["/v1/chat/completions", { modalities: ["text", "audio"] }, "modalities"],
    ["/v1/chat/completions", { thinking_token_budget: 5 }, "thinking_token_budget"],
  ];
  for (const [path, more, param] of UNSUPPORTED) {
    test(`refuses ${JSON.stringify(more)} by name`, async () => {
      const { gateway } = createFakeGateway();
      const base = path.includes("chat") ? { messages: [{ role: "user", content: "a" }] } : { prompt: "a" };
      const response = await createRouteApp(openaiRoutes, gateway).post(path, { ...base, ...more });
      assert.equal(response.status, 400);
      const { error } = (await response.json()) as ErrorBody;
      assert.equal(error.param, param);
      assert.match(error.message, /not supported/);
    });
  }

  test("lets pass what asks for nothing", async () => {
    const { gateway } = createFakeGateway();
    const response = await createRouteApp(openaiRoutes, gateway).post("/v1/completions", {
      prompt: "a",
      suffix: null,
      best_of: 1,
      guided_regex: null,
      structured_outputs: null,
      use_beam_search: false,
      logit_bias: {},
      response_format: { type: "text" },
    });
    assert.equal(response.status, 200, await response.text());
  });

  test("counts prompts into the limit", async () => {
    const { gateway } = createFakeGateway({ config: { maxTokensPerRequest: 100 } });
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post("/v1/completions", { prompt: ["a", "b"], n: 5, max_tokens: 11 });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /at most 100, got 5 × 11 × 2 = 110/);
  });

  test("names a bad freshness header", async () => {
    const { gateway } = createFakeGateway();
    const app = createRouteApp(openaiRoutes, gateway);
    for (const [name, value] of [
      ["x-min-weight-version", "new"],
      ["x-exact-weight-version", "-1"],
      ["x-max-weight-lag", "1.5"],
      ["x-weight-wait", "soon"],
      ["x-session-id", "s".repeat(300)],
    ] as const) {
      const response = await app.post("/v1/completions", { prompt: "a" }, { [name]: value });
      assert.equal(response.status, 400, name);
      const { error } = (await response.json()) as ErrorBody;
      assert.equal(error.param, name);
      assert.match(error.message, new RegExp(`^Header ${name} must be `));
    }
  });

  test("passes the gateway's own errors on with status, type and retry-after", async () => {
    const dispatch = () =>
      Promise.reject(new GatewayError("too_many_requests", "4096 sequences wait already.", { retryAfter: 1.5 }));
    const { gateway } = createFakeGateway({ over: { generation: { dispatch } } });
    const response = await createRouteApp(openaiRoutes, gateway).post("/v1/completions", { prompt: "a" });
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("retry-after"), "2");
    assert.deepEqual(await response.json(), {
      error: { message: "4096 sequences wait already.", type: "RateLimitError", param: null, code: 429 },
    });
  });
});

describe("models and tokens", () => {
  test("lists models with vLLM's fields", async () => {
    const { gateway } = createFakeGateway();
    const response = await createRouteApp(openaiRoutes, gateway).request("/v1/models");
    const body = (await response.json()) as { object: string; data: Record<string, unknown>[] };
    const recorded = readRecording("models").response.body as typeof body;
    assert.equal(body.object, "list");
    const [model] = body.data;
    const [expected] = recorded.data;
    assert.deepEqual(Object.keys(model ?? {}), Object.keys(expected ?? {}));
    for (const field of ["id", "object", "root", "parent", "max_model_len"]) {
      assert.equal(model?.[field], expected?.[field], field);
    }
    const keys = (value: unknown) => Object.keys((value as Record<string, unknown>[])[0] ?? {});
    assert.deepEqual(keys(model?.permission), keys(expected?.permission));
  });

  test("gives one model, and 404 for another", async () => {
    const { gateway } = createFakeGateway();
    const app = createRouteApp(openaiRoutes, gateway);
    assert.equal((await app.request("/v1/models/tiny")).status, 200);
    const response = await app.request("/v1/models/nope");
    assert.equal(response.status, 404);
    const { error } = (await response.json()) as ErrorBody;
    assert.equal(error.message, "The model `nope` does not exist. Valid aliases: tiny.");
    assert.equal(error.type, "NotFoundError");
  });

  test("tokenizes and detokenizes in vLLM's shapes", async () => {
    const { gateway } = createFakeGateway();
    const app = createRouteApp(openaiRoutes, gateway);
    const plain = await app.post("/tokenize", { prompt: "Hi" });
    assert.deepEqual(await plain.json(), { count: 2, max_model_len: 2048, tokens: [72, 105], token_strs: null });
    const withStrings = await app.post("/tokenize", { prompt: "Hi", return_token_strs: true });
    assert.deepEqual(((await withStrings.json()) as { token_strs: unknown }).token_strs, ["H", "i"]);
    const chat = await app.post("/tokenize", { messages: [{ role: "user", content: "a" }] });
    assert.equal(chat.status, 200);
    const back = await app.post("/detokenize", { tokens: [72, 105] });
    assert.deepEqual(await back.json(), { prompt: "Hi" });
    assert.deepEqual(await (await app.post("/detokenize", { tokens: [] })).json(), { prompt: "" });
  });
});
