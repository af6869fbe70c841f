import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { toGroups } from "../../src/offload/groups.ts";
import { type OffloadPolicy, placeGroups, toOffloadPolicy } from "../../src/offload/place.ts";
import { planOffload } from "../../src/offload/plan.ts";

const tensors = (shapes: Record<string, number[]>) =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => {
      const elements = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, byteLength: 2 * elements }];
    }),
  );

describe("groups", () => {
  test("token table, layers by number, the rest", () => {
    const groups = toGroups(
      tensors({
        "lm_head.weight": [10, 4],
        "model.layers.10.mlp.up_proj.weight": [8, 4],
        "model.layers.2.mlp.experts.7.up_proj.weight": [8, 4],
        "model.layers.2.input_layernorm.weight": [4],
        "model.embed_tokens.weight": [10, 4],
        "model.norm.weight": [4],
      }),
    );
    assert.deepEqual(groups, [
      { name: "embed", bytes: 80, elements: 40, largest: 40 },
      { name: "layers.2", bytes: 72, elements: 36, largest: 32 },
      { name: "layers.10", bytes: 64, elements: 32, largest: 32 },
      { name: "head", bytes: 88, elements: 44, largest: 40 },
    ]);
  });

  test("GPT-2's names", () => {
    const groups = toGroups(
      tensors({ "transformer.wte.weight": [4], "transformer.wpe.weight": [2], "h.0.ln_1.bias": [1] }),
    );
    assert.deepEqual(
      groups.map(({ name, elements }) => [name, elements]),
      [
        ["embed", 6],
        ["layers.0", 1],
      ],
    );
  });
});

const GROUPS = [
  { name: "embed", elements: 400, largest: 400 },
  ...[0, 1, 2, 3].map((layer) => ({ name: `layers.${layer}`, elements: 1000, largest: 500 })),
  { name: "head", elements: 50, largest: 50 },
];

const policy = (over: Partial<OffloadPolicy> = {}): OffloadPolicy => ({
  device: "nvme",
  pinMemory: false,
  persistenceThreshold: 100,
  modelPersistenceThreshold: Number.MAX_SAFE_INTEGER,
  maxInCpu: 10_000,
  bufferCount: 5,
  bufferSize: 1e8,
  ...over,
});
const tiersOf = (over: Partial<OffloadPolicy>) => {
  const { tiers, buffers } = placeGroups(GROUPS, policy(over), 4);
  return [...tiers.values(), buffers].join(" ");
};

describe("placement", () => {
  test("no offload, offload to the cpu, and what persists", () => {
    assert.equal(tiersOf({ device: "none" }), "device device device device device device 0");
    assert.equal(tiersOf({ device: "cpu" }), "cpu cpu cpu cpu cpu device 0");
    assert.equal(tiersOf({ device: "cpu", persistenceThreshold: 400 }), "device cpu cpu cpu cpu device 0");
    assert.equal(
      tiersOf({ device: "cpu", persistenceThreshold: 400, modelPersistenceThreshold: 400 }),
      "device cpu cpu cpu cpu cpu 0",
    );
  });

  test("nvme: in memory up to max_in_cpu, less the buffers", () => {
    assert.equal(tiersOf({}), "cpu cpu cpu cpu cpu device 0");
    assert.equal(tiersOf({ maxInCpu: 4449, bufferCount: 2 }), "cpu cpu cpu disk disk device 2");
    assert.equal(tiersOf({ maxInCpu: 4449 }), "cpu cpu disk disk disk device 5");
    assert.equal(tiersOf({ maxInCpu: 550 }), "disk disk disk disk disk device 1");
    assert.equal(tiersOf({ maxInCpu: 2000, bufferCount: 1 }), "cpu cpu disk disk disk device 1");
  });

  test("a budget for not one tensor says what is missing", () => {
    assert.throws(
      () => placeGroups(GROUPS, policy({ maxInCpu: 500 }), 2),
      (error: unknown) =>
        error instanceof GatewayError &&
        error.code === "limit_exceeded" &&
        error.details.missingBytes === 100 &&
        /layers\.0, 500 beside 50 that stay in memory: 100 bytes are missing. Raise max_in_cpu to 550/.test(
          error.message,
        ),
    );
    // What the message recommends is enough.
    assert.doesNotThrow(() => placeGroups(GROUPS, policy({ maxInCpu: 550 }), 2));
  });

  test("any budget is kept, buffers included, or refused", () => {
    const size = fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5000 }));
    const sizes = fc.array(size, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 0, max: 20_000 }),
        fc.integer({ min: 1, max: 9 }),
        (all, maxInCpu, count) => {
          const groups = all.map(([elements, largest], index) => ({
            name: `layers.${index}`,
            elements,
            largest: Math.min(elements, largest),
          }));
          const wish = policy({ maxInCpu, bufferCount: count, persistenceThreshold: 0 });
          const widest = Math.max(...groups.map(({ largest }) => largest));
          try {
            const { tiers, buffers } = placeGroups(groups, wish, 4);
            const inTier = (tier: string) => groups.filter(({ name }) => tiers.get(name) === tier);
            const resident = inTier("cpu").reduce((sum, { elements }) => sum + elements, 0);
            const streamed = inTier("disk");
            assert.equal(streamed.length > 0, buffers > 0);
            const piece = Math.max(0, ...streamed.map(({ largest }) => largest));
            assert.ok(resident + buffers * piece <= maxInCpu);
            assert.ok(buffers <= count);
          } catch (error) {
            assert.ok(error instanceof GatewayError && error.code === "limit_exceeded", String(error));
            assert.ok(widest > maxInCpu);
            assert.equal(error.details.missingBytes, 4 * (widest - maxInCpu));
          }
        },
      ),
    );
  });
});

describe("the policy of a configuration", () => {
  const zero = (values: object) => ({ zero_optimization: values });

  test("offload_param counts in stage 3 only, a wish always", () => {
    const offload_param = { device: "cpu", pin_memory: true };
    assert.equal(toOffloadPolicy(zero({ stage: 3, offload_param }), false).device, "cpu");
    assert.equal(toOffloadPolicy(zero({ stage: 0, offload_param }), false).device, "none");
    assert.equal(toOffloadPolicy(zero({ stage: 0 }), true).device, "cpu");
    assert.equal(toOffloadPolicy(zero({ stage: 3, cpu_offload_param: true }), false).device, "cpu");
  });

  test("defaults are DeepSpeed's", () => {
    const { maxInCpu, bufferCount, persistenceThreshold } = toOffloadPolicy(zero({ stage: 3 }), false);
    assert.deepEqual([maxInCpu, bufferCount, persistenceThreshold], [1e9, 5, 1e5]);
    assert.equal(
      toOffloadPolicy(zero({ stage: 3, offload_param: { device: 5, max_in_cpu: "x" } }), false).device,
      "none",
    );
  });
});

describe("a plan", () => {
  const checkpoint = { directory: "/m", groups: [{ name: "layers.0", bytes: 800, elements: 400, largest: 300 }] };
  const base = { checkpoint, shape: { hidden_size: 8 }, offload_to_cpu: false, compat: null } as const;

  test("shows both results, and hands out the one asked for", () => {
    const deepspeed_config = { zero_optimization: { stage: 3 } };
    const { plan } = planOffload({ ...base, deepspeed_config });
    const exact = planOffload({ ...base, deepspeed_config, compat: "trl-0.15" }).plan;
    assert.deepEqual(plan.original, exact.original);
    assert.deepEqual(plan.corrected, { config: plan.config });
    assert.deepEqual(exact.original, { config: exact.config });
    assert.equal(exact.config["zero_optimization.reduce_bucket_size"], 64);
    assert.match(exact.notes[0] ?? "", /what TRL 0\.15 hands to DeepSpeed/);
  });

  test("the one that cannot be made is told beside the other", () => {
    const { plan } = planOffload({ ...base, deepspeed_config: {} });
    assert.ok("error" in plan.original && plan.original.error.param === "zero_optimization");
    const text = planOffload({ ...base, deepspeed_config: { zero_optimization: { stage: "3" } }, compat: "trl-0.15" });
    assert.deepEqual(text.plan.config, { zero_optimization: { stage: 0 } });
    assert.ok("error" in text.plan.corrected && text.plan.corrected.error.param === "zero_optimization.stage");
  });

  test("notes say what is not as in DeepSpeed", () => {
    const offload_param = { device: "nvme", max_in_cpu: 310, buffer_size: 200 };
    const groups = [...checkpoint.groups, { name: "head", bytes: 100, elements: 50, largest: 50 }];
    const { plan } = planOffload({
      ...base,
      shape: {},
      checkpoint: { directory: "/m", groups },
      deepspeed_config: { zero_optimization: { stage: 3, stage3_param_persistence_threshold: 1, offload_param } },
    });
    const notes = plan.notes.join("\n");
    assert.match(notes, /buffer_count: 1 instead of 5/);
    assert.match(notes, /buffer_size: 200 elements; layers\.0 has a tensor of 300/);
    assert.match(notes, /nvme_path: missing/);
    assert.deepEqual(plan.bytes, { device: 0, cpu: 0, disk: 900 });
  });

  test("the older function needs compat", () => {
    const trainer = { per_device_train_batch_size: 2, fp16: false, bf16: true };
    const deepspeed_config = { zero_optimization: { stage: 2 } };
    assert.throws(() => planOffload({ ...base, deepspeed_config, trainer }), /trainer must be left out/);
    const { plan } = planOffload({ ...base, deepspeed_config, trainer, compat: "trl-0.15" });
    assert.deepEqual(plan.plugin_config, { zero_optimization: { stage: 2 }, train_micro_batch_size_per_gpu: 2 });
  });
});
