/** What the client takes a server for, and how it speaks to each: fakes of vLLM and of TRL's releases on loopback. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ServerError, toRolloutBatch, VLLMClient, WeightSyncError } from "../../src/client/mod.ts";
import { type FakeTrl, startFakeTrl } from "../fakes/trl-server.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";

describe("a native vLLM server", () => {
  let fake: FakeVllm;
  let client: VLLMClient;
  before(async () => {
    fake = await startFakeVllm({ name: "a" });
    client = new VLLMClient({ baseUrl: `${fake.url}/` });
  });
  after(() => fake.stop());

  test("is found out once", async () => {
    await client.checkServer({ totalTimeout: 0 });
    const facts = await client.serverFacts();
    assert.deepEqual([facts.kind, facts.version], ["vllm", "0.32.0"]);
    assert.equal(await client.serverFacts(), facts);
    assert.equal(fake.seen("/version").length, 1);
  });

  test("generates and chats", async () => {
    const texts = await client.generate(["a", "b"], { n: 2, max_tokens: 3 });
    assert.equal(texts.length, 4);
    const [completion] = await client.chatDetailed([{ role: "user", content: "hi" }], { max_tokens: 3 });
    assert.equal(completion?.tokenIds.length, 3);
    assert.equal(completion?.weightVersion, null);
  });

  test("a reset that it refuses is an error", async () => {
    fake.state.running.add({ abort: false } as never);
    try {
      await assert.rejects(client.resetPrefixCache(), /did not drop the cache: requests are running/);
      await client.resetPrefixCache({ resetRunningRequests: true });
    } finally {
      fake.state.running.clear();
    }
  });

  test("weights over HTTP are refused before anything is sent", async () => {
    await assert.rejects(client.updateModelParams(new Uint8Array(8)), (error) => {
      assert.ok(error instanceof WeightSyncError);
      assert.equal(error.phase, "init");
      assert.match(error.message, /NCCL.*tidegate serve --upstream/);
      return true;
    });
    await client.closeCommunicator();
  });
});

describe("TRL's own server", () => {
  const fakes = new Map<string, FakeTrl>();
  const connect = async (release: "0.16" | "0.26" | "1.10", options = {}): Promise<[VLLMClient, FakeTrl]> => {
    const fake = fakes.get(release) ?? (await startFakeTrl(release));
    fakes.set(release, fake);
    fake.seen.length = 0;
    return [new VLLMClient({ baseUrl: fake.url, ...options }), fake];
  };
  after(async () => {
    for (const fake of fakes.values()) await fake.stop();
  });

  test("is found out by /health/, and its sizes under either name", async () => {
    for (const [release, size] of [
      ["0.16", 2],
      ["1.10", 4],
    ] as const) {
      const [client] = await connect(release);
      await client.checkServer({ totalTimeout: 0 });
      assert.equal((await client.serverFacts()).kind, "trl");
      assert.equal(await client.getWorldSize(), size);
      await client.resetPrefixCache();
      await client.closeCommunicator();
    }
  });

  test("1.10: every field in its place", async () => {
    const [client, fake] = await connect("1.10");
    const completions = await client.generateDetailed(["a", "b"], {
      n: 2,
      top_k: null,
      seed: 3,
      structured_outputs_regex: "x",
      generation_kwargs: { temperature: 0.5 },
      logprobs: 1,
    });
    assert.deepEqual(fake.seen[0], {
      path: "/generate/",
      body: {
        prompts: ["a", "b"],
        n: 2,
        repetition_penalty: 1,
        temperature: 1,
        top_p: 1,
        top_k: 0,
        min_p: 0,
        max_tokens: 16,
        logprobs: 1,
        structured_outputs_regex: "x",
        generation_kwargs: { seed: 3, temperature: 0.5 },
      },
    });
    assert.deepEqual(
      completions.map(({ text, promptTokenIds, tokenIds }) => [text, promptTokenIds, tokenIds]),
      [
        [null, [5, 6, 0], [70, 2]],
        [null, [5, 6, 0], [71, 2]],
        [null, [5, 6, 1], [72, 2]],
        [null, [5, 6, 1], [73, 2]],
      ],
    );
    assert.deepEqual(completions[0]?.logprobs, [-0.7, null]);
    assert.deepEqual(toRolloutBatch(completions, 2).logprobTokenIds?.[0], [
      [9, 70],
      [9, 2],
    ]);
  });

  test("0.26: flat logprobs, chat, the old name of the expression; what it would ignore is refused", async () => {
    const [client, fake] = await connect("0.26");
    const [one] = await client.chatDetailed([{ role: "user", content: "hi" }], { guided_decoding_regex: "x" });
    assert.deepEqual(one?.logprobs, [-0.7, -0.02]);
    assert.equal(fake.seen[0]?.body?.guided_decoding_regex, "x");
    await client.generateDetailed(["a"], { truncate_prompt_tokens: 4, logprobs: null });
    assert.equal(fake.seen[1]?.body?.truncate_prompt_tokens, 4);
    await assert.rejects(
      client.generateDetailed(["a"], { logprobs: 2 }),
      /does not read logprobs; it came with TRL 0.29/,
    );
    await assert.rejects(
      client.getSequenceLogprobs([[1, 2]], [1]),
      /has no \/get_sequence_logprobs\/; it came with TRL 1.1/,
    );
    assert.equal(fake.seen.length, 2);
  });

  test("0.16: ids only; what it would ignore is refused", async () => {
    const [client, fake] = await connect("0.16", { detokenize: (ids: readonly number[]) => `<${ids.join(" ")}>` });
    assert.deepEqual(await client.generate(["a"], {}), ["<70 2>"]);
    const [one] = await client.generateDetailed([[8, 9]], {});
    assert.deepEqual([one?.promptTokenIds, one?.logprobs], [[8, 9], null]);
    await assert.rejects(client.generate(["a"], { seed: 1 }), /does not read seed/);
    await assert.rejects(client.chat([{ role: "user", content: "a" }]), ServerError);
    assert.equal(fake.seen.length, 2);
  });

  test("without a detokenizer generate says what to do", async () => {
    const [client] = await connect("1.10");
    await assert.rejects(client.generate(["a"]), /answers in token ids; give the client a detokenize function/);
  });

  test("scores sequences from its binary form", async () => {
    const [client] = await connect("1.10");
    const scored = await client.getSequenceLogprobs(
      [
        [1, 2, 3],
        [4, 5],
      ],
      [1, 1],
      { topLogprobs: 2, chunkSize: 1 },
    );
    assert.deepEqual(scored, {
      logprobs: [
        [
          [-1, -2],
          [-1, -2],
        ],
        [[-1, -2]],
      ],
      logprobTokenIds: [
        [
          [0, 1],
          [1, 2],
        ],
        [[0, 1]],
      ],
      actualLogprobs: [[[-0.5], [-0.5]], [[-0.5]]],
      actualTokenIds: [[[2], [3]], [[5]]],
    });
  });

  test("weights over HTTP are refused", async () => {
    const [client] = await connect("1.10");
    await assert.rejects(client.updateModelParams("/some/model"), { name: "WeightSyncError", phase: "init" });
  });
});

describe("tool calls", () => {
  const tools = [{ type: "function", function: { name: "add", parameters: { type: "object" } } }];
  const question = [{ role: "user", content: "2 + 2 = ?" }];
  const connect = (message: object, dialect: "vllm" | "trl" = "vllm") => {
    const bodies: Record<string, unknown>[] = [];
    const fetch = (async (_url: unknown, init?: RequestInit) => {
      if (init?.body === undefined) return Response.json({});
      bodies.push(JSON.parse(String(init.body)) as Record<string, unknown>);
      return Response.json({ choices: [{ message, finish_reason: "tool_calls" }] });
    }) as unknown as typeof globalThis.fetch;
    return { client: new VLLMClient({ dialect, model: "m", fetch, retries: 0 }), bodies };
  };
  const called = {
    content: null,
    tool_calls: [{ id: "c1", type: "function", function: { name: "add", arguments: "{}" } }],
  };

  test("are asked for with toolChoice, and come as toolCalls", async () => {
    const named = { type: "function", function: { name: "add" } } as const;
    for (const toolChoice of ["auto", "required", named] as const) {
      const { client, bodies } = connect(called);
      const kwargs = { enable_thinking: false };
      const [one] = await client.chatDetailed(question, {}, { tools, toolChoice, chatTemplateKwargs: kwargs });
      assert.deepEqual(one?.toolCalls, [{ id: "c1", name: "add", arguments: "{}" }]);
      assert.deepEqual([one?.text, one?.finishReason], ["", "tool_calls"]);
      assert.deepEqual([bodies[0]?.tools, bodies[0]?.tool_choice], [tools, toolChoice]);
      assert.deepEqual(bodies[0]?.chat_template_kwargs, kwargs);
    }
  });
  test("stay in the text by default, as in TRL; beside the sampling tool_choice does as well", async () => {
    const plain = connect({ content: "<tool_call>" });
    const [one] = await plain.client.chatDetailed(question, { tools });
    assert.deepEqual([one?.text, one?.toolCalls], ["<tool_call>", []]);
    assert.equal(plain.bodies[0]?.tool_choice, "none");
    const beside = connect(called);
    await beside.client.chatDetailed(question, { tools, tool_choice: "required" } as never);
    assert.equal(beside.bodies[0]?.tool_choice, "required");
  });
  test("TRL's own server is not asked for what it does not read", async () => {
    const { client } = connect(called, "trl");
    await assert.rejects(client.chat(question, { tools }, { toolChoice: "auto" }), /does not read tool_choice/);
  });
});

describe("arguments that cannot be right", () => {
  const client = new VLLMClient({ baseUrl: "http://127.0.0.1:9", retries: 0 });
  const cases: readonly (readonly [string, () => Promise<unknown>, RegExp])[] = [
    ["images", () => client.generate(["a"], { images: [["x"]] }), /^images is not supported/],
    ["features", () => client.generate([[1]], { features: [{}] }), /^features is not supported/],
    ["kwargs", () => client.generate(["a"], { generation_kwargs: { images: [] } }), /^generation_kwargs\.images/],
    ["stream", () => client.generate(["a"], { stream: true }), /^stream must be left out/],
    ["ids", () => client.generate([1, 2] as never), /^prompts must be/],
    ["tools", () => client.chat([{ role: "user" }], { tools: [() => 1] }), /^tools\[0\] must be a JSON schema/],
    [
      "tool choice without tools",
      () => client.chat([{ role: "user" }], { tools: [] }, { toolChoice: "auto" }),
      /^toolChoice "auto" needs tools/,
    ],
    [
      "parts",
      () => client.chat([[{ role: "user", content: [{ type: "image_pil", image_pil: {} }] }]]),
      /^messages\[0\]\[0\]\.content\[0\] of type "image_pil" is not supported/,
    ],
    [
      "temperature",
      () => client.getSequenceLogprobs([[1]], [0], { temperature: 0 }),
      /^temperature must be positive, got 0/,
    ],
    [
      "lengths",
      () => client.getSequenceLogprobs([[1]], []),
      /^promptLengths must have one entry per sequence: 1, got 0/,
    ],
    ["length", () => client.getSequenceLogprobs([[1]], [2]), /^promptLengths\[0\] must be between 0 and 1, got 2/],
    ["top", () => client.getSequenceLogprobs([[1]], [0], { topLogprobs: 0 }), /^topLogprobs must be an integer/],
  ];
  for (const [name, call, message] of cases) {
    test(name, async () => assert.rejects(async () => call(), { message }));
  }
  test("nothing asked, nothing sent", async () => {
    assert.deepEqual(await client.generate([]), []);
    assert.deepEqual(await client.chat([]), []);
    assert.deepEqual((await client.getSequenceLogprobs([], [])).logprobs, []);
  });
  test("a base URL or a server type that is none", () => {
    assert.throws(() => new VLLMClient({ baseUrl: "ftp://x" }), /baseUrl must be an http or https URL/);
    assert.throws(() => new VLLMClient({ serverType: "grpc" as "http" }), /serverType must be "http", got "grpc"/);
  });
});
