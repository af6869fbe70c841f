/**
 * Argument by argument what TRL 1.16's Python client sends, and result by result what it makes of the answers: both
 * recorded (tests/fixtures/vllm/trl-client).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { parseLenientJson } from "../../src/client/lenient-json.ts";
import { type SequenceLogprobs, toRolloutBatch, VLLMClient } from "../../src/client/mod.ts";

interface Exchange {
  readonly seq: number;
  readonly request: { readonly method: string; readonly path: string; readonly body: unknown };
  readonly response: { readonly status: number; readonly body: unknown };
}

interface TrlResult {
  readonly prompt_ids: number[][];
  readonly completion_ids: number[][];
  readonly logprobs: (number | null)[][][];
  readonly logprob_token_ids: number[][][];
}

const read = (name: string): unknown =>
  parseLenientJson(readFileSync(new URL(`../fixtures/vllm/trl-client/${name}`, import.meta.url), "utf8"));
const { exchanges } = read("exchanges.json") as { exchanges: readonly Exchange[] };
const results = read("results.json") as Record<string, TrlResult> & { readonly score: Record<string, unknown> };

/** A client whose requests must be, byte for byte of JSON, among the recorded ones. */
function recorded(): { readonly client: VLLMClient; readonly sent: number[] } {
  const sent: number[] = [];
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const { pathname } = new URL(String(input));
    if (pathname === "/version") return Response.json({ version: "0.32.0" });
    const body = typeof init?.body === "string" ? JSON.parse(init.body) : null;
    const found = exchanges.find(({ request }) => {
      if (request.path !== pathname || request.method !== init?.method) return false;
      return JSON.stringify(sorted(request.body)) === JSON.stringify(sorted(body));
    });
    assert.ok(found, `TRL never sent ${pathname} ${JSON.stringify(body)}`);
    sent.push(found.seq);
    return Response.json(found.response.body, { status: found.response.status });
  };
  const client = new VLLMClient({ baseUrl: "http://recorded", fetch: fetch as typeof globalThis.fetch });
  return { client, sent };
}

const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

const toTrl = (batch: ReturnType<typeof toRolloutBatch>) => ({
  prompt_ids: batch.promptIds,
  completion_ids: batch.completionIds,
  logprobs: batch.logprobs,
  logprob_token_ids: batch.logprobTokenIds,
});

describe("as TRL 1.16's VLLMClient", () => {
  test("generate: defaults, n, texts", async () => {
    const { client, sent } = recorded();
    const completions = await client.generateDetailed(["The gateway", "A student reads"], { n: 2, max_tokens: 4 });
    assert.deepEqual(sent, [2, 4]);
    assert.deepEqual(toTrl(toRolloutBatch(completions, 2)), results.generate);
    assert.deepEqual(
      completions.map(({ logprobs }) => logprobs),
      results.generate?.logprobs.map((row) => row.map(([own]) => own)),
    );
  });

  test("generate: token ids and candidates", async () => {
    const { client } = recorded();
    const completions = await client.generateDetailed([[285, 499]], { maxTokens: 4, logprobs: 2 });
    assert.deepEqual(toTrl(toRolloutBatch(completions)), results.ids);
  });

  test("generate: a regular expression under each of its names", async () => {
    for (const name of ["structured_outputs_regex", "structuredOutputsRegex", "guided_decoding_regex"]) {
      const { client, sent } = recorded();
      const completions = await client.generateDetailed(["The gateway"], { max_tokens: 8, [name]: "[0-9]{3}" });
      assert.deepEqual(sent, [2, 6]);
      assert.equal(completions[0]?.text, "260");
      assert.deepEqual(toTrl(toRolloutBatch(completions)), results.regex);
    }
  });

  test("chat: one request per conversation", async () => {
    const { client, sent } = recorded();
    const two = [{ role: "user", content: "2 + 2 = ?" }];
    const hi = [{ role: "user", content: "hi" }];
    const completions = await client.chatDetailed([two, hi], { n: 2, max_tokens: 3 });
    assert.deepEqual(sent.sort(), [2, 8, 9]);
    assert.deepEqual(toTrl(toRolloutBatch(completions, 2)), results.chat);
  });

  test("chat: tools, in the options or beside the sampling; an empty list is left out", async () => {
    const add = { type: "function", function: { name: "add", parameters: { type: "object", properties: {} } } };
    const two = [{ role: "user", content: "2 + 2 = ?" }];
    for (const [sampling, options] of [
      [{ max_tokens: 3 }, { tools: [add] }],
      [{ max_tokens: 3, tools: [add] }, {}],
    ] as const) {
      const { client } = recorded();
      const completions = await client.chatDetailed(two, sampling, options);
      assert.deepEqual(toTrl(toRolloutBatch(completions)), results.tools);
    }
    const { client, sent } = recorded();
    await client.chatDetailed([two], { n: 2, max_tokens: 3, tools: [] });
    assert.deepEqual(sent, [2, 8]);
  });

  test("getSequenceLogprobs: padding, ranks, the token that stands there", async () => {
    const { client } = recorded();
    const scored: SequenceLogprobs = await client.getSequenceLogprobs(
      [
        [285, 499, 40, 41],
        [33, 34, 35],
      ],
      [2, 1],
      {
        topLogprobs: 3,
      },
    );
    const { logprobs, logprobTokenIds, actualLogprobs, actualTokenIds } = scored;
    assert.deepEqual(
      {
        logprobs,
        logprob_token_ids: logprobTokenIds,
        actual_logprobs: actualLogprobs,
        actual_token_ids: actualTokenIds,
      },
      results.score,
    );
  });

  test("resetPrefixCache and getWorldSize", async () => {
    const { client, sent } = recorded();
    await client.resetPrefixCache();
    assert.equal(await client.getWorldSize(), 1);
    assert.deepEqual(sent, [2, 12, 3]);
  });

  test("the server's refusal is told in its own words", async () => {
    const { client } = recorded();
    await assert.rejects(client.generate(["The gateway"], { n: 2, temperature: 0, max_tokens: 2, logprobs: 0 }), {
      name: "ServerError",
      status: 400,
      message: /n must be 1 when using greedy sampling, got 2/,
    });
  });
});
