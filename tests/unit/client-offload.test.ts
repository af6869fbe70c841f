import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  connectModel,
  createAccelerator,
  GatewayError,
  openCheckpoint,
  prepareDeepspeed,
  type ServedModel,
  ServerError,
  unwrapModelForGeneration,
  VLLMClient,
} from "../../src/index.ts";
import { writeTinyCheckpoint } from "../support/tiny-checkpoint.ts";

const stage3 = (offload_param: object = { device: "cpu" }) =>
  createAccelerator({ deepspeedConfig: { zero_optimization: { stage: 3, offload_param } } });

/** A client whose gateway is a function. */
const clientOf = (answer: (path: string, init: RequestInit) => Response | Promise<Response>): VLLMClient =>
  new VLLMClient({
    baseUrl: "http://gateway.test",
    fetch: (async (url: string, init: RequestInit) => answer(new URL(url).pathname, init)) as typeof fetch,
  });

const list = (...models: object[]) => Response.json({ data: models });

describe("connectModel", () => {
  test("takes the one base model; adapters do not count", async () => {
    const client = clientOf(() =>
      list({ id: "base", root: "/m/base", parent: null }, { id: "lora", root: "/m/lora", parent: "base" }),
    );
    assert.deepEqual(await connectModel(client), { kind: "served", client, id: "base", root: "/m/base" });
    assert.equal((await connectModel(client, { model: "lora" })).root, "/m/lora");
    await assert.rejects(connectModel(client, { model: "other" }), ServerError);
  });

  test("several: says which there are", async () => {
    const client = clientOf(() => list({ id: "a" }, { id: "b" }));
    await assert.rejects(connectModel(client), /lists a, b; say which model is meant/);
  });
});

describe("prepareDeepspeed", () => {
  let root = "";
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "tidegate-prepare-"));
    await writeTinyCheckpoint(join(root, "model"), { config: { model_type: "llama", hidden_size: 4, vocab_size: 10 } });
  });
  after(() => rm(root, { recursive: true, force: true }));

  test("a model directory: a plan, in eval mode, and nobody's configuration is changed", async () => {
    const { model } = await openCheckpoint(join(root, "model"));
    const accelerator = stage3();
    const before = structuredClone(accelerator.deepspeedPlugin?.deepspeedConfig);
    const prepared = await prepareDeepspeed(model, accelerator);
    assert.equal(prepared.model, model);
    assert.equal(prepared.training, false);
    assert.equal(prepared.eval(), prepared);
    assert.equal((prepared.config.zero_optimization as Record<string, unknown>).reduce_bucket_size, 16);
    assert.deepEqual(prepared.plan.bytes, { device: 320, cpu: 176, disk: 0 });
    assert.equal(prepared.residency, null);
    assert.deepEqual(accelerator.deepspeedPlugin?.deepspeedConfig, before);
  });

  test("compat, a configuration alone, and no model at all", async () => {
    const exact = await prepareDeepspeed({ config: { hidden_size: 8 } }, stage3(), { compat: "trl-0.15" });
    assert.equal(exact.config["zero_optimization.stage3_param_persistence_threshold"], 80);
    const none = await prepareDeepspeed(null, stage3(), { compat: "trl-0.15" });
    assert.deepEqual(Object.keys(none.config), ["zero_optimization"]);
  });

  test("what is missing is named", async () => {
    const missing = (param: string) => (error: unknown) =>
      error instanceof GatewayError && error.code === "missing_field" && error.details.param === param;
    const model = { config: { hidden_size: 8 } };
    await assert.rejects(prepareDeepspeed(model, createAccelerator()), missing("accelerator.deepspeedPlugin"));
    await assert.rejects(prepareDeepspeed({} as typeof model, stage3()), missing("model.config"));
    const bare = createAccelerator({ deepspeedConfig: { zero_optimization: { stage: 3 } } });
    await assert.rejects(
      prepareDeepspeed(model, bare, { offloadToCpu: true, compat: "trl-0.15" }),
      missing("zero_optimization.offload_optimizer"),
    );
  });

  test("a served model: the gateway is asked to move it", async () => {
    const asked: [string, string, unknown][] = [];
    const plan = { config: { zero_optimization: { stage: 3 } } };
    const client = clientOf((path, init) => {
      asked.push([init.method ?? "", path, JSON.parse(String(init.body))]);
      return Response.json({ model: "org/tiny", servers: [], plan });
    });
    const model: ServedModel = { kind: "served", client, id: "org/tiny", root: "/m" };
    const prepared = await prepareDeepspeed(model, stage3(), { offloadToCpu: true });
    assert.deepEqual(asked, [
      [
        "PUT",
        "/api/models/org%2Ftiny/residency",
        {
          deepspeed_config: { zero_optimization: { stage: 3, offload_param: { device: "cpu" } } },
          offload_to_cpu: true,
          compat: null,
        },
      ],
    ]);
    assert.deepEqual(prepared.config, plan.config);
    assert.equal(prepared.model, model);
  });

  test("what the gateway refuses is a ServerError with its sentence", async () => {
    const client = clientOf(() =>
      Response.json({ detail: "42 bytes are missing.", code: "limit_exceeded" }, { status: 400 }),
    );
    await assert.rejects(
      prepareDeepspeed({ kind: "served", client, id: "tiny", root: "/m" }, stage3()),
      (error: unknown) =>
        error instanceof ServerError && error.code === "limit_exceeded" && /42 bytes/.test(error.message),
    );
  });
});

describe("unwrapModelForGeneration", () => {
  const refuse = clientOf((path) => {
    throw new Error(`${path} should not be called`);
  });
  const model: ServedModel = { kind: "served", client: refuse, id: "tiny", root: "/m" };

  test("no ZeRO-3, or no gathering wished: the model as it is, and no lease", async () => {
    const two = createAccelerator({ deepspeedConfig: { zero_optimization: { stage: 2 } } });
    for (const [accelerator, gatherDeepspeed3Params] of [
      [createAccelerator(), true],
      [two, true],
      [stage3(), false],
    ] as const) {
      await using unwrapped = await unwrapModelForGeneration(model, accelerator, { gatherDeepspeed3Params });
      assert.equal(unwrapped.model, model);
      assert.equal(unwrapped.lease, null);
    }
  });

  test("a prepared model is unwrapped to what was prepared; one that is not served cannot generate", async () => {
    const plain = { config: { hidden_size: 8 } };
    const prepared = await prepareDeepspeed(plain, stage3());
    await using unwrapped = await unwrapModelForGeneration(prepared, stage3());
    assert.equal(unwrapped.model, plain);
    await assert.rejects(unwrapped.generate("1 + 1"), TypeError);
  });

  test("an aborted signal, a refusal and a connection that ends early", async () => {
    const aborted = AbortSignal.abort(new Error("no more"));
    await assert.rejects(unwrapModelForGeneration(model, stage3(), { signal: aborted }), /no more/);
    const full = clientOf(() =>
      Response.json({ detail: "9 bytes are missing.", code: "insufficient_memory" }, { status: 409 }),
    );
    await assert.rejects(
      unwrapModelForGeneration({ ...model, client: full }, stage3()),
      (error: unknown) => error instanceof ServerError && error.status === 409 && error.code === "insufficient_memory",
    );
    const early = clientOf(() => new Response("retry: 2000\n\n"));
    await assert.rejects(unwrapModelForGeneration({ ...model, client: early }, stage3()), /before it granted a lease/);
  });
});
