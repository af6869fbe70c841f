import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { offloadPlan } from "../../src/cli/offload-plan.ts";
import type { OffloadPlan } from "../../src/contract/control/offload-plans.ts";
import { createOffloadPlans } from "../../src/gateway/offload-plans.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import { createFakeGateway } from "../support/fake-gateway.ts";
import { createHttpApp } from "../support/http-app.ts";
import { json, type ProblemBody } from "../support/syncs.ts";
import { writeTinyCheckpoint } from "../support/tiny-checkpoint.ts";

const { gateway } = createFakeGateway();
const ports = { ...gateway.ports, files: createFiles() };
const app = createHttpApp({ over: { offloadPlans: createOffloadPlans(ports) } });
const edge = createHttpApp({ over: { offloadPlans: createOffloadPlans(gateway.ports) } });
const { cases } = JSON.parse(readFileSync(new URL("../fixtures/deepspeed/cases.json", import.meta.url), "utf8"));

let root = "";
let model = "";

before(async () => {
  root = await mkdtemp(join(tmpdir(), "tidegate-plan-"));
  model = join(root, "model");
  await writeTinyCheckpoint(model, { config: { model_type: "llama", hidden_size: 4, dtype: "bfloat16" } });
});
after(() => rm(root, { recursive: true, force: true }));

const post = (body: unknown) => app.send("POST", "/api/offload-plans", body);

describe("POST /api/offload-plans", () => {
  test("every recorded case, over HTTP", async () => {
    for (const { name, input, expected } of cases) {
      const response = await post({
        deepspeed_config: input.config,
        model: input.model,
        offload_to_cpu: input.offload_to_cpu ?? false,
        compat: "trl-0.15",
        ...(input.arguments === undefined ? {} : { trainer: input.arguments }),
      });
      if (expected.error === undefined) {
        assert.equal(response.status, 200, name);
        const plan = await json<OffloadPlan>(response);
        assert.deepEqual(plan.config, expected.result, name);
        if (input.arguments !== undefined) assert.deepEqual(plan.plugin_config, expected.plugin_config_after, name);
      } else {
        assert.equal(response.status, 400, name);
        const { param = "" } = await json<ProblemBody>(response);
        const key = /'(\w+)'$/.exec(expected.error.message)?.[1];
        if (expected.error.type === "KeyError") assert.ok(param.endsWith(key ?? "?"), `${name}: ${param}`);
      }
    }
  });

  test("a directory: groups and bytes from its headers", async () => {
    const offload_param = { device: "cpu" };
    const plan = await json<OffloadPlan>(
      post({ deepspeed_config: { bf16: { enabled: "auto" }, zero_optimization: { stage: 3, offload_param } }, model }),
    );
    assert.deepEqual(
      plan.groups.map(({ name, tier, bytes }) => [name, tier, bytes]),
      [
        ["embed", "device", 160],
        ["layers.0", "device", 160],
        ["head", "cpu", 176],
      ],
    );
    assert.deepEqual(plan.bytes, { device: 320, cpu: 176, disk: 0 });
    assert.equal(plan.hidden_size, 4);
    assert.deepEqual(plan.config.bf16, { enabled: true });
    assert.equal(plan.model, model);
  });

  for (const [what, body, code, param] of [
    ["no configuration", { model: null }, "missing_field", "deepspeed_config"],
    ["a configuration that is a list", { deepspeed_config: [], model: null }, "invalid_value", "deepspeed_config"],
    ["no model", { deepspeed_config: {} }, "missing_field", "model"],
    ["a model that is a number", { deepspeed_config: {}, model: 5 }, "invalid_value", "model"],
    ["an unknown compat", { deepspeed_config: {}, model: null, compat: "trl-0.16" }, "invalid_value", "compat"],
    ["an unknown field", { deepspeed_config: {}, model: null, offload: true }, "unknown_field", "offload"],
    [
      "a wrong type",
      { deepspeed_config: { zero_optimization: { stage: 3, offload_param: { device: 5 } } }, model: null },
      "invalid_value",
      "zero_optimization.offload_param.device",
    ],
    [
      "a width that is none",
      { deepspeed_config: {}, model: { hidden_size: 1e9 } },
      "invalid_value",
      "model.hidden_size",
    ],
  ] as const) {
    test(`refuses ${what}`, async () => {
      const response = await post(body);
      assert.equal(response.status, 400);
      const problem = await json<ProblemBody>(response);
      assert.deepEqual([problem.code, problem.param], [code, param], problem.detail);
    });
  }

  test("a directory that is none, and a gateway without files", async () => {
    const wrong = await json<ProblemBody>(post({ deepspeed_config: {}, model: join(root, "no") }));
    assert.equal(wrong.code, "source_unreadable");
    const none = await json<ProblemBody>(edge.send("POST", "/api/offload-plans", { deepspeed_config: {}, model }));
    assert.equal(none.code, "unsupported");
    const shape = await edge.send("POST", "/api/offload-plans", { deepspeed_config: {}, model: { hidden_size: 4 } });
    assert.equal(shape.status, 200);
  });

  test("a plan that cannot fit says how many bytes are missing", async () => {
    const offload_param = { device: "nvme", max_in_cpu: 10 };
    const zero = { stage: 3, offload_param };
    const response = await post({ deepspeed_config: { zero_optimization: zero }, model });
    assert.equal(response.status, 400);
    const problem = await json<ProblemBody & { missing_bytes: number }>(response);
    assert.equal(problem.code, "limit_exceeded");
    // Hidden size 4 makes 40 elements persistent: both tables are over the budget already.
    assert.equal(problem.missing_bytes, 4 * (40 + 80 - 10));
  });
});

describe("tidegate offload-plan", () => {
  async function run(...args: string[]): Promise<string> {
    let out = "";
    const code = await offloadPlan.run(args, {
      ports,
      env: {},
      out: (text) => {
        out += text;
      },
      err: () => {},
      terminal: false,
      lines: async function* () {},
      onInterrupt: () => () => {},
    });
    assert.equal(code, 0);
    return out;
  }
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(root, name), text);
    return join(root, name);
  };

  test("a table, or JSON", async () => {
    const config = await file("ds.json", '{"zero_optimization": {"stage": 3, "mine": 1}}');
    const text = await run(config, "--model", model, "--offload-to-cpu");
    assert.match(text, /head {6}cpu {7}176 {2}176 B/);
    assert.match(text, /unknown keys, kept: zero_optimization\.mine/);
    assert.match(text, /- zero_optimization\.reduce_bucket_size: 16/);
    const plan = JSON.parse(await run(config, "--model", model, "--compat", "trl-0.15", "--json"));
    assert.equal(plan.config["zero_optimization.reduce_bucket_size"], 16);
  });

  test("accelerate's file with a DeepSpeed file beside it", async () => {
    await file("inner.json", '{"zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}}}');
    const outer = await file(
      "acc.yaml",
      "distributed_type: DEEPSPEED\nmixed_precision: fp16\ndeepspeed_config:\n  deepspeed_config_file: inner.json\n",
    );
    const plan = JSON.parse(await run(outer, "--model", model, "--json")) as OffloadPlan;
    assert.equal(plan.residency.device, "cpu");
    assert.deepEqual(plan.config.fp16, { enabled: true, auto_cast: true });
  });

  test("what was typed wrong, refused or cannot be read", async () => {
    const bad = await file("bad.json", '{"zero_optimization": {"stage": 3, "offload_param": {"device": "gpu"}}}');
    const rejects = (args: string[], name: string, message: RegExp) =>
      assert.rejects(
        run(...args),
        (error: unknown) => error instanceof Error && error.name === name && message.test(error.message),
      );
    await rejects([bad], "UsageError", /--model is missing/);
    await rejects([bad, "--model", model, "--compat", "x"], "UsageError", /--compat must be/);
    await rejects([bad, "--model", model], "GatewayError", /zero_optimization\.offload_param\.device must be one of/);
    await rejects([join(root, "none.json"), "--model", model], "OperationError", /does not exist/);
    await rejects([await file("x.json", "{"), "--model", model], "OperationError", /neither JSON nor YAML/);
    assert.ok((await stat(model)).isDirectory());
  });
});
