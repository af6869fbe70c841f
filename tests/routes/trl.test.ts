import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { trlRoutes } from "../../routes/trl/mod.ts";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import { candidate, delta, end, finish, position, promptEvent } from "../support/events.ts";
import { createFakeGateway, type FakeOptions } from "../support/fake-gateway.ts";
import { createRouteApp } from "../support/route-app.ts";

const appOf = (options: FakeOptions = {}) => {
  const fake = createFakeGateway(options);
  return { ...fake, app: createRouteApp(trlRoutes, fake.gateway) };
};

const A = candidate(10, "a", -0.5, 1);
const B = candidate(11, "b", -1.5, 2);
const C = candidate(12, "c", Number.NEGATIVE_INFINITY, 9);

/** Two prompts, two samples each, finished in an odd order. */
const BATCH: GenerateEvent[] = [
  promptEvent([3, 4], { prompt: 1 }),
  promptEvent([1, 2]),
  delta("x", [21], { prompt: 1, logprobs: [position(A, A, B)] }),
  delta("y", [22], { prompt: 1, sample: 1, logprobs: [position(A, A, B)] }),
  delta("a", [10], { logprobs: [position(A, A, B)] }),
  delta("c", [12], { logprobs: [position(C, A, B)] }),
  delta("b", [11], { sample: 1, logprobs: [position(B, A, B)] }),
  finish({ sample: 1 }),
  finish(),
  finish({ prompt: 1 }),
  finish({ prompt: 1, sample: 1 }),
  end(),
];

const REQUEST = { prompts: ["p", "q"], n: 2, max_tokens: 4 };

interface Answer {
  prompt_ids: number[][];
  completion_ids: number[][];
  logprobs: unknown;
  logprob_token_ids: unknown;
}

describe("POST /generate/", () => {
  test("gives ids prompt-major and candidates by rank, k + 1 where the sampled token is outside", async () => {
    const { app } = appOf({ script: () => BATCH });
    const response = await app.post("/generate/", { ...REQUEST, logprobs: 2 });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-weight-version"), "7");
    assert.deepEqual(await response.json(), {
      prompt_ids: [
        [1, 2],
        [3, 4],
      ],
      completion_ids: [[10, 12], [11], [21], [22]],
      logprobs: [
        [
          [-0.5, -1.5],
          [-0.5, -1.5, null],
        ],
        [[-0.5, -1.5]],
        [[-0.5, -1.5]],
        [[-0.5, -1.5]],
      ],
      logprob_token_ids: [
        [
          [10, 11],
          [10, 11, 12],
        ],
        [[10, 11]],
        [[10, 11]],
        [[10, 11]],
      ],
    });
  });

  test("asks for the sampled token's logprob by default, for none with null", async () => {
    const { app, requests } = appOf();
    await app.post("/generate/", REQUEST);
    assert.equal(requests[0]?.sampling.logprobs, 0);
    const response = await app.post("/generate/", { ...REQUEST, logprobs: null });
    assert.equal(requests[1]?.sampling.logprobs, undefined);
    const body = (await response.json()) as Answer;
    assert.equal(body.logprobs, null);
    assert.equal(body.logprob_token_ids, null);
  });

  test("gives one number per position to clients that do not know the field (0.23 to 0.28)", async () => {
    const { app } = appOf({ script: () => BATCH });
    const response = await app.post("/generate/", { ...REQUEST, truncate_prompt_tokens: null });
    assert.deepEqual(((await response.json()) as Answer).logprobs, [[-0.5, null], [-1.5], [-0.5], [-0.5]]);
  });

  test("applies TRL's defaults, and generation_kwargs over everything", async () => {
    const { app, requests } = appOf();
    const response = await app.post("/generate/", {
      prompts: [[1, 2]],
      temperature: 0.2,
      generation_kwargs: { temperature: 0.7, max_tokens: 3, seed: 5, stop: ["x"], logprobs: 4, unknown: 1 },
    });
    assert.equal(response.status, 200, await response.clone().text());
    const [request] = requests;
    assert.deepEqual(request?.prompts, [{ kind: "tokens", ids: [1, 2] }]);
    const { temperature, maxTokens, seed, stop, logprobs, topP, topK, minP, repetitionPenalty, n } =
      request?.sampling ?? {};
    assert.deepEqual(
      { temperature, maxTokens, seed, stop, logprobs, topP, topK, minP, repetitionPenalty, n },
      {
        temperature: 0.7,
        maxTokens: 3,
        seed: 5,
        stop: ["x"],
        logprobs: 4,
        topP: 1,
        topK: -1,
        minP: 0,
        repetitionPenalty: 1,
        n: 1,
      },
    );
    await app.post("/generate/", { prompts: ["a"] });
    assert.equal(requests[1]?.sampling.maxTokens, 16);
  });

  test("keeps the last tokens with truncate_prompt_tokens", async () => {
    const { app, requests } = appOf();
    await app.post("/generate/", { prompts: [[1, 2, 3]], truncate_prompt_tokens: 2 });
    assert.deepEqual(requests[0]?.truncate, { tokens: 2 });
  });

  test("answers an empty list without asking anybody", async () => {
    const { app, calls } = appOf();
    for (const body of ['{"prompts": [ ]}', '{"prompts":[],"guided_decoding_regex":null}']) {
      const response = await app.post("/generate/", body);
      assert.deepEqual(await response.json(), {
        prompt_ids: [],
        completion_ids: [],
        logprobs: [],
        logprob_token_ids: [],
      });
    }
    assert.equal(calls.length, 0);
  });

  test("serves the 0.16 form", async () => {
    const { app } = appOf();
    const response = await app.post("/generate/", {
      prompts: ["a"],
      n: 1,
      repetition_penalty: 1.0,
      temperature: 1.0,
      top_p: 1.0,
      top_k: -1,
      min_p: 0.0,
      max_tokens: 16,
      guided_decoding_regex: null,
    });
    assert.deepEqual(((await response.json()) as Answer).completion_ids, [[5]]);
  });

  test("refuses what is malformed with FastAPI's 422, what is not there with 400", async () => {
    const { app, requests } = appOf();
    const bad: readonly (readonly [body: unknown, loc: unknown])[] = [
      [{}, ["body", "prompts"]],
      [{ prompts: "a" }, ["body", "prompts"]],
      [{ prompts: [1, 2] }, ["body", "prompts", 0]],
      [{ prompts: ["a"], temperature: "hot" }, ["body", "temperature"]],
      [{ prompts: ["a"], n: 0 }, ["body", "n"]],
      [{ prompts: [[1, -1]] }, ["body", "prompts", 0, 1]],
      [{ prompts: ["a"], generation_kwargs: { top_p: 2 } }, ["body", "top_p"]],
      ["{", ["body"]],
    ];
    for (const [body, loc] of bad) {
      const response = await app.post("/generate/", body);
      assert.equal(response.status, 422, JSON.stringify(body));
      const { detail } = (await response.json()) as { detail: { loc: unknown; msg: string; type: string }[] };
      assert.deepEqual(detail[0]?.loc, loc);
      assert.ok((detail[0]?.msg.length ?? 0) > 0);
    }
    const response = await app.post("/generate/", { prompts: ["a"], generation_kwargs: { prompt_embeds: "AAAA" } });
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as { detail: string }).detail, /not supported on embedded replicas yet/);
    assert.equal(requests.length, 0);
  });

  test("reads a regex by TRL's two names, and vLLM's constraints in generation_kwargs", async () => {
    const { app, requests } = appOf();
    for (const more of [
      { guided_decoding_regex: "[0-9]" },
      { structured_outputs_regex: "[0-9]" },
      { generation_kwargs: { structured_outputs: { regex: "[0-9]" } } },
    ]) {
      const response = await app.post("/generate/", { prompts: ["a"], ...more });
      assert.equal(response.status, 200);
      assert.deepEqual(requests.at(-1)?.sampling.structuredOutputs?.constraint, { kind: "regex", pattern: "[0-9]" });
    }
  });

  test("hands bytes on to a replica that speaks TRL", async () => {
    const { app, calls } = appOf({ upstream: () => new Response('{"completion_ids":[[1]]}') });
    const response = await app.post(
      "/generate/",
      '{"prompts":["a"],"n":NaN_is_not_read}'.replace("NaN_is_not_read", "1"),
    );
    assert.equal(await response.text(), '{"completion_ids":[[1]]}');
    assert.equal(calls[0]?.wire, "trl");
    assert.equal(calls[0]?.target, "/generate/");
  });
});

describe("POST /chat/", () => {
  test("takes a list of conversations", async () => {
    const { app, requests } = appOf();
    const one = [{ role: "user", content: "a" }];
    const two = [
      { role: "user", content: "b" },
      { role: "assistant", content: "c" },
    ];
    const response = await app.post("/chat/", { messages: [one, two], chat_template_kwargs: { x: 1 }, tools: [] });
    assert.equal(response.status, 200, await response.clone().text());
    assert.deepEqual(
      requests[0]?.prompts,
      [one, two].map((messages) => ({
        kind: "chat",
        messages,
        tools: null,
        addGenerationPrompt: true,
        continueFinalMessage: false,
        templateKwargs: { x: 1 },
        addSpecialTokens: false,
      })),
    );
    assert.equal(((await response.json()) as Answer).completion_ids.length, 2);
  });

  test("names the message part that no text model reads", async () => {
    const { app } = appOf();
    const content = [{ type: "image_pil", image_pil: "AAAA" }];
    const response = await app.post("/chat/", { messages: [[{ role: "user", content }]] });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /messages.0.0.content.0.type/);
  });
});

describe("POST /get_sequence_logprobs/", () => {
  const SCORED: GenerateEvent[] = [
    promptEvent([1, 2, 12], { logprobs: [null, position(B, A, B), position(C, A, B)] }),
    promptEvent([1, 10], { prompt: 1, logprobs: [null, position(A, A, B)] }),
    delta("z", [99]),
    delta("z", [99], { prompt: 1 }),
    finish(),
    finish({ prompt: 1 }),
    end(),
  ];
  const BODY = {
    sequences: [
      [1, 2, 12],
      [1, 10],
    ],
    prompt_lengths: [1, 1],
    top_logprobs: 2,
    temperature: 0.5,
  };

  test("asks for prompt logprobs and one token", async () => {
    const { app, requests } = appOf({ script: () => SCORED });
    await app.post("/get_sequence_logprobs/", BODY);
    assert.deepEqual(requests[0]?.sampling, { maxTokens: 1, temperature: 0.5, promptLogprobs: 2 });
  });

  test("json: candidates by rank, the actual token beside them", async () => {
    const { app } = appOf({ script: () => SCORED });
    const body = (await (await app.post("/get_sequence_logprobs/", BODY)).json()) as Record<string, unknown>;
    assert.deepEqual(body.logprobs, [
      [
        [-0.5, -1.5],
        [-0.5, -1.5, null],
      ],
      [[-0.5, -1.5]],
    ]);
    assert.deepEqual(body.logprob_token_ids, [
      [
        [10, 11],
        [10, 11, 12],
      ],
      [[10, 11]],
    ]);
    assert.deepEqual(body.actual_logprobs, [[[-1.5], [null]], [[-0.5]]]);
    assert.deepEqual(body.actual_token_ids, [[[11], [12]], [[10]]]);
    assert.equal(body.logprobs_b64, null);
  });

  test("binary: little-endian arrays, padded with -inf and 0", async () => {
    const { app } = appOf({ script: () => SCORED });
    const response = await app.post("/get_sequence_logprobs/", { ...BODY, response_format: "binary" });
    const body = (await response.json()) as Record<string, string> & { shape: number[]; completion_lengths: number[] };
    assert.deepEqual(body.shape, [2, 2, 2]);
    assert.deepEqual(body.completion_lengths, [2, 1]);
    const view = (text: string | undefined) =>
      new DataView(Uint8Array.from(atob(text ?? ""), (one) => one.charCodeAt(0)).buffer);
    const floats = (text: string | undefined) => {
      const data = view(text);
      return Array.from({ length: data.byteLength / 4 }, (_, index) => data.getFloat32(index * 4, true));
    };
    const integers = (text: string | undefined) => {
      const data = view(text);
      return Array.from({ length: data.byteLength / 4 }, (_, index) => data.getInt32(index * 4, true));
    };
    const gap = Number.NEGATIVE_INFINITY;
    assert.deepEqual(floats(body.logprobs_b64), [-0.5, -1.5, -0.5, -1.5, -0.5, -1.5, gap, gap]);
    assert.deepEqual(integers(body.token_ids_b64), [10, 11, 10, 11, 10, 11, 0, 0]);
    assert.deepEqual(floats(body.actual_logprobs_b64), [-1.5, gap, -0.5, gap]);
    assert.deepEqual(integers(body.actual_token_ids_b64), [11, 12, 10, 0]);
  });

  test("refuses lengths that do not fit", async () => {
    const { app } = appOf();
    for (const more of [{ prompt_lengths: [1] }, { prompt_lengths: [1, 3] }, { sequences: [[1], []] }]) {
      const response = await app.post("/get_sequence_logprobs/", { ...BODY, ...more });
      assert.equal(response.status, 422, JSON.stringify(more));
    }
  });

  test("answers no sequences with nothing", async () => {
    const { app, calls } = appOf();
    const response = await app.post("/get_sequence_logprobs/", { sequences: [], prompt_lengths: [] });
    assert.deepEqual(((await response.json()) as Answer).logprobs, []);
    assert.equal(calls.length, 0);
  });
});

describe("TRL's small routes", () => {
  test("health and sizes", async () => {
    const { app } = appOf({ over: { legacy: { worldSize: () => 3 } } });
    assert.deepEqual(await (await app.request("/health/")).json(), { status: "ok" });
    assert.deepEqual(await (await app.request("/get_world_size/")).json(), { world_size: 3 });
    assert.deepEqual(await (await app.request("/get_tensor_parallel_size/")).json(), { tensor_parallel_size: 3 });
    const readiness = () => ({ ready: false, reason: null, servers: [] });
    const down = await appOf({ over: { fleet: { readiness } } }).app.request("/health/");
    assert.equal(down.status, 503);
  });

  test("the texts that TRL's client knows", async () => {
    const { app, controls } = appOf();
    const reset = await app.post("/reset_prefix_cache/");
    assert.deepEqual(await reset.json(), { message: "Request received, resetting prefix cache status: True" });
    assert.deepEqual(controls, [["resetPrefixCache", false]]);
    const close = await app.post("/close_communicator/");
    assert.deepEqual(await close.json(), { message: "Request received, closing communicator" });
  });

  test("communicator calls say that there is no NCCL group, after the body was checked", async () => {
    const { app } = appOf();
    const init = { host: "0.0.0.0", port: 51_216, world_size: 2 };
    const param = { name: "model.norm.weight", dtype: "torch.bfloat16", shape: [64] };
    for (const [path, body, status] of [
      ["/init_communicator/", { ...init, client_device_uuid: "GPU-1" }, 400],
      ["/init_communicator/", init, 400],
      ["/update_named_param/", param, 409],
      ["/batch_update_named_params/", { params: [param] }, 409],
    ] as const) {
      const response = await app.post(path, body);
      assert.equal(response.status, status, path);
      assert.match(((await response.json()) as { detail: string }).detail, /NCCL.*POST \/api\/weight-syncs/);
    }
    const missing = await app.post("/init_communicator/", { host: "0.0.0.0", port: 51_216 });
    assert.equal(missing.status, 422);
    const { detail } = (await missing.json()) as { detail: { type: string; loc: unknown }[] };
    assert.equal(detail[0]?.type, "missing");
    assert.deepEqual(detail[0]?.loc, ["body", "world_size"]);
  });
});
