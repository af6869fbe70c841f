import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { type DeepspeedPluginArguments, toPluginConfig, withMixedPrecision } from "../../src/offload/accelerator.ts";
import { checkDeepspeedConfig, type DeepspeedConfig } from "../../src/offload/check-config.ts";
import { toCorrectedConfig } from "../../src/offload/corrected.ts";
import { chooseHiddenSize, type ModelShape } from "../../src/offload/hidden-size.ts";
import { parseLaunchText, toAccelerator } from "../../src/offload/launch-file.ts";
import { type OriginalOptions, toOriginalConfig } from "../../src/offload/original.ts";

interface Case {
  readonly name: string;
  readonly input: {
    readonly function: string;
    readonly config: DeepspeedConfig;
    readonly model: ModelShape | null | "no-config";
    readonly offload_to_cpu?: boolean;
    readonly arguments?: NonNullable<OriginalOptions["trainer"]>;
  };
  readonly expected: {
    readonly result?: DeepspeedConfig;
    readonly error?: { readonly type: string; readonly message: string };
    readonly plugin_config_after: DeepspeedConfig;
    readonly deepspeed_reads?: Readonly<Record<string, unknown>>;
  };
}

const read = <T>(name: string): { cases: T[] } =>
  JSON.parse(readFileSync(new URL(`../fixtures/deepspeed/${name}`, import.meta.url), "utf8"));
const { cases } = read<Case>("cases.json");

const run = ({ input }: Case) => {
  if (input.model === "no-config") throw new Error("not made here");
  return toOriginalConfig(input.config, {
    hiddenSize: chooseHiddenSize(input.model),
    ...(input.offload_to_cpu === undefined ? {} : { offloadToCpu: input.offload_to_cpu }),
    ...(input.arguments === undefined ? {} : { trainer: input.arguments }),
  });
};

describe("TRL 0.15's result, exactly", () => {
  for (const one of cases) {
    // A model without a config has no form here: a handle always has one.
    if (one.input.model === "no-config") continue;
    test(one.name, () => {
      const before = structuredClone(one.input.config);
      const { error, result, plugin_config_after: after } = one.expected;
      if (error === undefined) {
        const made = run(one);
        assert.deepEqual(made.config, result);
        assert.deepEqual(Object.keys(made.config), Object.keys(result ?? {}));
        assert.deepEqual(made.pluginConfig, after);
      } else {
        const key = /'(\w+)'$/.exec(error.message)?.[1];
        assert.throws(
          () => run(one),
          (thrown: unknown) =>
            thrown instanceof GatewayError &&
            (error.type === "KeyError"
              ? thrown.code === "missing_field" && thrown.details.param?.endsWith(key ?? "?") === true
              : thrown.code === "invalid_value"),
        );
      }
      assert.deepEqual(one.input.config, before, "the caller's own object is not changed");
    });
  }
});

describe("accelerate's plugin", () => {
  for (const { name, input, expected } of read<{
    name: string;
    input: DeepspeedPluginArguments;
    expected: { deepspeed_config: DeepspeedConfig };
  }>("plugin-cases.json").cases) {
    test(name, () => assert.deepEqual(toPluginConfig(input), expected.deepspeed_config));
  }

  test("mixed precision fills what is auto, and clashes are refused", () => {
    const filled = withMixedPrecision({ bf16: { enabled: "auto" } }, "bf16");
    assert.deepEqual(filled, { bf16: { enabled: true }, fp16: { enabled: false } });
    assert.deepEqual(withMixedPrecision({}, "fp16").fp16, { enabled: true, auto_cast: true });
    assert.throws(() => withMixedPrecision({ fp16: { enabled: true } }, "bf16"), /fp16\.enabled must be false/);
  });
});

const zeroOf = (config: DeepspeedConfig) => config.zero_optimization as Record<string, unknown>;

describe("the corrected result", () => {
  test("what DeepSpeed never read is where it reads it, as whole numbers", () => {
    const given = { zero_optimization: { stage: 3, reduce_bucket_size: 5e8, stage3_prefetch_bucket_size: "auto" } };
    const { config, notes } = toCorrectedConfig(given, { hiddenSize: 24 });
    assert.deepEqual(zeroOf(config), {
      stage: 3,
      reduce_bucket_size: 576,
      stage3_prefetch_bucket_size: 518,
      stage3_param_persistence_threshold: 240,
    });
    assert.ok(!Object.keys(config).some((key) => key.includes(".")));
    assert.equal(notes.length, 3);
    assert.match(notes[0] ?? "", /^zero_optimization\.reduce_bucket_size: 576 instead of 500000000/);
  });

  test("a stage other than 3 becomes 0, a missing section or stage is made", () => {
    for (const stage of [0, 1, 2, "auto"]) {
      assert.equal(zeroOf(toCorrectedConfig({ zero_optimization: { stage } }, { hiddenSize: 8 }).config).stage, 0);
    }
    assert.deepEqual(toCorrectedConfig({}, { hiddenSize: 8 }).config, { zero_optimization: { stage: 0 } });
    assert.deepEqual(toCorrectedConfig({ zero_optimization: true }, { hiddenSize: 8 }).config, {
      zero_optimization: { stage: 0 },
    });
  });

  test("offloading makes the sections that the original needs", () => {
    const { config } = toCorrectedConfig(
      { zero_optimization: { stage: 3, offload_param: null, offload_optimizer: { device: "nvme", pin_memory: true } } },
      { hiddenSize: null, offloadToCpu: true },
    );
    assert.deepEqual(zeroOf(config), {
      stage: 3,
      offload_param: { device: "cpu" },
      offload_optimizer: { device: "cpu", pin_memory: true },
    });
  });

  test('no "auto" is left that has an answer', () => {
    const auto = cases.find(({ name }) => name === "stage3-auto-values");
    assert.ok(auto);
    const { config } = toCorrectedConfig(auto.input.config, {
      hiddenSize: 896,
      mixedPrecision: "bf16",
      numProcesses: 4,
    });
    assert.ok(!JSON.stringify(config).includes('"auto"'));
    assert.deepEqual(config, {
      fp16: { enabled: false, loss_scale: 0 },
      bf16: { enabled: true },
      zero_optimization: {
        stage: 3,
        reduce_bucket_size: 802816,
        stage3_prefetch_bucket_size: 722534,
        stage3_param_persistence_threshold: 8960,
        offload_optimizer: { device: "none" },
        offload_param: { device: "none" },
      },
      train_batch_size: 4,
      train_micro_batch_size_per_gpu: 1,
      gradient_accumulation_steps: 1,
    });
  });

  test("unknown keys are kept and listed by path", () => {
    const given = { mine: 1, zero_optimization: { stage: 3, turbo: "auto", offload_param: { speed: 9 } } };
    const { config, unknownKeys } = toCorrectedConfig(given, { hiddenSize: null });
    assert.deepEqual(unknownKeys, ["mine", "zero_optimization.turbo", "zero_optimization.offload_param.speed"]);
    assert.deepEqual(config, given);
  });

  test("every configuration of the recordings that is well typed has a corrected result, which is well typed", () => {
    const whole = cases.filter(({ input }) => input.model !== "no-config");
    const made = whole.flatMap(({ input }) => {
      const hiddenSize = chooseHiddenSize(input.model as ModelShape | null);
      try {
        return [toCorrectedConfig(input.config, { hiddenSize, offloadToCpu: input.offload_to_cpu === true }).config];
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.details.param === "zero_optimization.stage");
        return [];
      }
    });
    assert.equal(made.length, whole.length - 1, "only the stage that is text is refused");
    for (const config of made) {
      assert.doesNotThrow(() => checkDeepspeedConfig(config));
      // A second pass finds nothing to do.
      const hidden = { hiddenSize: null };
      assert.deepEqual(toCorrectedConfig(config, hidden).config, config);
    }
  });
});

describe("wrong types are refused by path", () => {
  const param = (value: unknown) => ({ zero_optimization: { stage: 3, offload_param: value } });
  for (const [config, path] of [
    [param({ device: 5 }), "zero_optimization.offload_param.device"],
    [param({ device: "gpu" }), "zero_optimization.offload_param.device"],
    [param({ device: ["cpu"] }), "zero_optimization.offload_param.device"],
    [param({ pin_memory: "yes" }), "zero_optimization.offload_param.pin_memory"],
    [param({ buffer_count: 1.5 }), "zero_optimization.offload_param.buffer_count"],
    [param({ max_in_cpu: -1 }), "zero_optimization.offload_param.max_in_cpu"],
    [param({ nvme_path: 7 }), "zero_optimization.offload_param.nvme_path"],
    [param("cpu"), "zero_optimization.offload_param"],
    [{ zero_optimization: { stage: "3" } }, "zero_optimization.stage"],
    [{ zero_optimization: { stage: 4 } }, "zero_optimization.stage"],
    [{ zero_optimization: { stage: true } }, "zero_optimization.stage"],
    [{ zero_optimization: [] }, "zero_optimization"],
    [{ zero_optimization: { offload_optimizer: { ratio: 2 } } }, "zero_optimization.offload_optimizer.ratio"],
    [{ bf16: { enabled: "true" } }, "bf16.enabled"],
    [{ bf16: true }, "bf16"],
    [{ train_batch_size: "8" }, "train_batch_size"],
    [{ fp16: { enabled: true }, bf16: { enabled: true } }, "bf16.enabled"],
  ] as const) {
    test(`${path}: ${JSON.stringify(config)}`, () => {
      assert.throws(
        () => toCorrectedConfig(config as DeepspeedConfig, { hiddenSize: 8 }),
        (error: unknown) =>
          error instanceof GatewayError && error.code === "invalid_value" && error.details.param === path,
      );
    });
  }
});

test("a stage of 3 differs from the original in nothing but the reported places", () => {
  const devices = fc.constantFrom("none", "cpu", "nvme");
  const section = fc.record({ device: devices, pin_memory: fc.boolean() });
  const zero = fc.record({ offload_param: section, offload_optimizer: section, overlap_comm: fc.boolean() });
  fc.assert(
    fc.property(zero, fc.integer({ min: 1, max: 20_000 }), fc.boolean(), (values, hiddenSize, offloadToCpu) => {
      const given = { zero_optimization: { stage: 3, ...values }, steps_per_print: "Infinity" };
      const original = toOriginalConfig(given, { hiddenSize, offloadToCpu }).config;
      const { config } = toCorrectedConfig(given, { hiddenSize, offloadToCpu });
      const nested = structuredClone(original);
      for (const [key, value] of Object.entries(nested)) {
        if (!key.startsWith("zero_optimization.")) continue;
        delete nested[key];
        zeroOf(nested)[key.slice("zero_optimization.".length)] = Math.floor(value as number);
      }
      assert.deepEqual(config, nested);
    }),
  );
});

describe("launch files", () => {
  const yaml = `compute_environment: LOCAL_MACHINE
debug: false
deepspeed_config:
  gradient_accumulation_steps: 1
  offload_optimizer_device: cpu
  offload_param_device: cpu
  zero3_init_flag: true
  zero3_save_16bit_model: true
  zero_stage: 3
distributed_type: DEEPSPEED
mixed_precision: bf16
num_processes: 8
`;

  test("accelerate's YAML", () => {
    const accelerator = toAccelerator(parseLaunchText(yaml, "zero3.yaml"));
    assert.equal(accelerator.numProcesses, 8);
    assert.equal(accelerator.mixedPrecision, "bf16");
    assert.deepEqual(accelerator.deepspeedPlugin?.deepspeedConfig, {
      train_batch_size: "auto",
      train_micro_batch_size_per_gpu: "auto",
      gradient_accumulation_steps: 1,
      zero_optimization: {
        stage: 3,
        offload_optimizer: { device: "cpu", nvme_path: null },
        offload_param: { device: "cpu", nvme_path: null },
        stage3_gather_16bit_weights_on_model_save: true,
      },
      gradient_clipping: "auto",
      steps_per_print: "Infinity",
      bf16: { enabled: true },
      fp16: { enabled: false },
    });
  });

  test("a DeepSpeed file is taken as it is", () => {
    const value = parseLaunchText('{"zero_optimization": {"stage": 3}}', "ds.json");
    assert.deepEqual(toAccelerator(value).deepspeedPlugin?.deepspeedConfig, { zero_optimization: { stage: 3 } });
  });

  test("a file inside a file", () => {
    const value = parseLaunchText(
      "distributed_type: DEEPSPEED\ndeepspeed_config: {deepspeed_config_file: a.json}",
      "x",
    );
    assert.throws(() => toAccelerator(value), /give the contents of that file/);
    const inner = { zero_optimization: { stage: "auto" } };
    const { deepspeedPlugin } = toAccelerator(value, inner);
    assert.deepEqual(deepspeedPlugin?.deepspeedConfig.zero_optimization, { stage: 2 });
  });

  for (const [text, message] of [
    ["distributed_type: FSDP", /only DEEPSPEED/],
    ["distributed_type: DEEPSPEED\nmixed_precision: bf17", /mixed_precision must be one of/],
    ["distributed_type: DEEPSPEED\ndeepspeed_config: 3", /deepspeed_config must be an object/],
    [
      "distributed_type: DEEPSPEED\ndeepspeed_config: {zero_stage: 7}",
      /deepspeed_config\.zero_stage must be 0, 1, 2 or 3/,
    ],
    ["distributed_type: DEEPSPEED\ndeepspeed_config: {offload_param_device: gpu}", /offload_param_device must be/],
    ["- a", /must hold an object/],
    ["a: [", /neither JSON nor YAML/],
  ] as const) {
    test(`refuses ${text}`, () => assert.throws(() => toAccelerator(parseLaunchText(text, "x.yaml")), message));
  }
});
