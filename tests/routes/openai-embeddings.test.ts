/** `/v1/embeddings`: what a replica is asked, what the answer looks like, what is refused; and that vLLM servers get the bytes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import type { GenerateEvent, GenerateRequest } from "../../src/contract/generation.ts";
import { GatewayError } from "../../src/errors.ts";
import { end, finish, promptEvent } from "../support/events.ts";
import { createFakeGateway, DIGEST, type FakeOptions } from "../support/fake-gateway.ts";
import { createRouteApp } from "../support/route-app.ts";

const VECTORS = [Float32Array.of(0.5, -1, 0.1), Float32Array.of(1, 2, 3)];

function* embed(request: GenerateRequest): Generator<GenerateEvent> {
  // Answers come in any order.
  for (const prompt of [...request.prompts.keys()].reverse()) {
    yield promptEvent([1, 2, 3], { prompt, text: "x", cachedTokens: prompt === 1 ? 2 : 0 });
    yield { type: "embedding", prompt, values: VECTORS[prompt % 2]! };
    yield finish({ prompt });
  }
  yield end();
}

function setUp(options: FakeOptions = {}) {
  const fake = createFakeGateway({ script: embed, ...options });
  const app = createRouteApp(openaiRoutes, fake.gateway);
  return {
    ...fake,
    post: (body: unknown) => app.post("/v1/embeddings", body),
  };
}

const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { message: string; param: string; type: string } }).error;

describe("embeddings", () => {
  test("one vector per input, in order, with usage and the stamp", async () => {
    const { post, requests } = setUp();
    const response = await post({ model: "tiny", input: ["a", "b"], request_id: "mine" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-weight-version"), "7");
    assert.deepEqual(await response.json(), {
      id: "embd-mine",
      object: "list",
      created: 1_767_225_600,
      model: "tiny",
      data: [
        { index: 0, object: "embedding", embedding: [0.5, -1, 0.10000000149011612] },
        { index: 1, object: "embedding", embedding: [1, 2, 3] },
      ],
      usage: {
        prompt_tokens: 6,
        total_tokens: 6,
        completion_tokens: 0,
        prompt_tokens_details: { cached_tokens: 2 },
        completion_tokens_details: null,
      },
      weight_version: 7,
      weight_digest: DIGEST,
    });
    assert.deepEqual(requests[0]?.pooling, { type: "last", normalize: true });
    assert.deepEqual(requests[0]?.prompts, [
      { kind: "text", text: "a", addSpecialTokens: true },
      { kind: "text", text: "b", addSpecialTokens: true },
    ]);
  });

  test("every form of input; conversations through the template", async () => {
    const { post, requests } = setUp();
    for (const input of ["a", [1, 2], [[1], [2, 3]]]) assert.equal((await post({ input })).status, 200);
    assert.deepEqual(
      requests.map(({ prompts }) => prompts.map((prompt) => (prompt.kind === "tokens" ? prompt.ids : prompt.kind))),
      [["text"], [[1, 2]], [[1], [2, 3]]],
    );
    assert.equal((await post({ messages: [{ role: "user", content: "hi" }] })).status, 200);
    const prompt = requests.at(-1)?.prompts[0];
    assert.equal(prompt?.kind === "chat" && prompt.addGenerationPrompt, false);
  });

  test("base64 is little-endian float32 unless asked otherwise", async () => {
    const { post } = setUp();
    const read = async (fields: object) => {
      const body = (await (await post({ input: "a", encoding_format: "base64", ...fields })).json()) as {
        data: { embedding: string }[];
      };
      return new DataView(Uint8Array.from(atob(body.data[0]!.embedding), (one) => one.charCodeAt(0)).buffer);
    };
    assert.equal((await read({})).getFloat32(4, true), -1);
    assert.equal((await read({ endianness: "native" })).byteLength, 12);
    assert.equal((await read({ endianness: "big" })).getFloat32(4, false), -1);
  });

  test("--pooler-config is the default, the request's own fields win", async () => {
    const config = { poolerConfig: '{"pooling_type":"MEAN","use_activation":false}' };
    const { post, requests } = setUp({ config });
    await post({ input: "a" });
    await post({ input: "a", use_activation: true, pooling_type: "LAST", dimensions: 2 });
    await post({ input: "a", truncate_prompt_tokens: -1, truncation_side: "left" });
    assert.deepEqual(
      requests.map(({ pooling }) => pooling),
      [
        { type: "mean", normalize: false },
        { type: "last", normalize: true, dimensions: 2 },
        { type: "mean", normalize: false },
      ],
    );
    assert.deepEqual(requests[2]?.truncate, { tokens: -1, side: "left" });
  });

  test("what is wrong is named", async () => {
    const { post } = setUp();
    for (const [body, param, message] of [
      [{}, "input", /input is required/],
      [{ input: "" }, "input", /must not be empty/],
      [{ input: [] }, "input", /must not be empty/],
      [{ input: [[]] }, "input.0", /must not be empty/],
      [{ input: [1, "a"] }, "input.1", /token id/],
      [{ input: "a", messages: [] }, "input", /left out when messages are given/],
      [{ input: "a", normalize: true }, "normalize", /use `use_activation`/],
      [{ input: "a", encoding_format: "bytes" }, "encoding_format", /float.*base64/],
      [{ input: "a", embed_dtype: "float16" }, "embed_dtype", /float32/],
      [{ input: "a", pooling_type: "CLS" }, "pooling_type", /LAST.*MEAN/],
      [{ input: "a", dimensions: 0 }, "dimensions", /at least 1/],
      [{ input: "a", truncate_prompt_tokens: -2 }, "truncate_prompt_tokens", /at least -1/],
    ] as const) {
      const response = await post(body);
      const error = await errorOf(response);
      assert.deepEqual([response.status, error.param], [400, param], JSON.stringify(body));
      // vLLM's schema and its own checks have words of their own.
      assert.match(error.type, /^(Bad Request|BadRequestError)$/);
      assert.match(error.message, message);
    }
  });

  test("what a replica says of the prompt is said of the input", async () => {
    const { post } = setUp({
      over: {
        generation: {
          dispatch: () => Promise.reject(new GatewayError("invalid_value", "Token id 9 is out", { param: "prompt" })),
        },
      },
    });
    assert.equal((await errorOf(await post({ input: [9] }))).param, "input");
  });

  test("an embedding that a pause ended is no answer", async () => {
    const { post } = setUp({
      script: function* () {
        yield promptEvent([1]);
        yield finish({ reason: "abort" });
        yield end();
      },
    });
    const response = await post({ input: "a" });
    assert.equal(response.status, 503);
    assert.match((await errorOf(response)).message, /send it again/);
  });

  test("a server that speaks OpenAI gets the request as it is", async () => {
    const seen: string[] = [];
    const { post, requests } = setUp({
      upstream: (call) => {
        seen.push(`${call.target} ${new TextDecoder().decode(call.body)}`);
        return Response.json({ detail: "Not Found" }, { status: 404 });
      },
    });
    const response = await post('{"input":"a", "normalize": 1}');
    assert.deepEqual([response.status, await response.json()], [404, { detail: "Not Found" }]);
    assert.deepEqual([seen, requests], [['/v1/embeddings {"input":"a", "normalize": 1}'], []]);
  });
});
