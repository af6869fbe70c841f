/** A model in tiers against the same model in one session: the very same numbers, in less memory. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { describe, test } from "node:test";
import type { ResidencyDirective } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import type { LoadedModel } from "../../src/worker/batch-types.ts";
import { loadModel } from "../../src/worker/load-model.ts";
import { runAll, sampling } from "../support/batch.ts";

const elsewhere = process.platform === "linux" ? false : "weights on disk need Linux";
const COMMITTED = new URL("../fixtures/forward/", import.meta.url);
const MORE = new URL("../../../shared/fixtures/reference/forward/", import.meta.url);
const NANO = new URL("../../models/tide-nano/base", import.meta.url);
const CHECKPOINTS: readonly (readonly [name: string, directory: URL])[] = [
  ["tide-nano", NANO],
  ...["llama-gqa-untied", "qwen3-tied-bf16", "mistral-window"].map(
    (name) => [name, new URL(`${name}/checkpoint`, COMMITTED)] as const,
  ),
  ...["llama-head-dim-biases", "qwen3-untied"].map((name) => [name, new URL(`${name}/checkpoint`, MORE)] as const),
];

const load = (directory: URL, residency: ResidencyDirective): Promise<LoadedModel> =>
  loadModel({
    files: createFiles(),
    directory: decodeURIComponent(directory.pathname),
    sets: [],
    device: "auto",
    maxModelLen: 64,
    residency,
    spoolDirectory: tmpdir(),
    onProgress: () => {},
  });

/** Tokens and log probabilities, bit by bit, of prompts long and short, alone and in batches. */
function speak(model: LoadedModel): unknown {
  const batcher = createBatcher(model, { maxConcurrency: 3, maxQueue: 100 });
  const prompts = [[1, 2, 3], [7], Array.from({ length: 40 }, (_, index) => (index * 5) % model.vocabSize)];
  const { results, prompts: reported } = runAll(
    batcher,
    prompts.map((promptIds, key) => ({
      key,
      promptIds,
      samples: key + 1,
      sampling: sampling({
        maxTokens: 8,
        logprobs: 4,
        promptLogprobs: key === 2 ? 2 : -1,
        temperature: key === 1 ? 1 : 0,
      }),
    })),
  );
  batcher.releaseCache();
  return {
    results: [...results].map(([name, { ids, logprobs }]) => [name, ids, logprobs]),
    prompts: [...reported].map(([key, { logprobs }]) => [key, logprobs]),
  };
}

const total = (model: LoadedModel): number => [...model.groupBytes!.values()].reduce((sum, bytes) => sum + bytes, 0);

const missingOf = async (work: Promise<LoadedModel>): Promise<number> => {
  const error = await work.then(
    () => assert.fail("it fits"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError && error.code === "limit_exceeded", String(error));
  return error.details.missingBytes!;
};

describe("a model in tiers", { skip: elsewhere }, () => {
  for (const [name, directory] of CHECKPOINTS) {
    const missing = existsSync(directory) ? false : `${name} is not on this machine`;
    test(`${name}: the same numbers on disk, cut finely, gathered and after sleep`, { skip: missing }, async () => {
      const plain = await load(directory, {});
      const want = speak(plain);
      const groups = Object.fromEntries([...plain.groupBytes!.keys()].map((group) => [group, "disk" as const]));
      const layered = await load(directory, { groups });
      const residency = layered.residency!;
      residency.wake();
      assert.equal(layered.digest, plain.digest);
      assert.deepEqual(layered.tensors, plain.tensors);
      assert.deepEqual(residency.report().bytes, { device: 0, cpu: 0, disk: total(plain) });
      assert.deepEqual(speak(layered), want);
      const used = residency.report().pageIns;
      assert.ok(used > 0);

      residency.gather("all");
      assert.deepEqual(residency.report().bytes, { device: 0, cpu: total(plain), disk: 0 });
      assert.equal(residency.report().gathered, plain.groupBytes!.size);
      assert.deepEqual(speak(layered), want);
      assert.equal(residency.report().pageIns, used);
      residency.release();
      assert.deepEqual(residency.report().bytes, { device: 0, cpu: 0, disk: total(plain) });
      residency.sleep();
      residency.wake();
      assert.deepEqual(speak(layered), want);
      layered.release();
      layered.release();

      // The smallest budget there is: what is missing of none, and one byte less is refused by that byte.
      const least = await missingOf(load(directory, { maxInCpuBytes: 0 }));
      assert.equal(await missingOf(load(directory, { maxInCpuBytes: least - 1 })), 1);
      const fine = await load(directory, { maxInCpuBytes: least });
      fine.residency!.wake();
      assert.deepEqual(speak(fine), want);
      assert.ok(fine.residency!.report().bytes.cpu <= least);
      fine.release();
      plain.release();
    });
  }

  test("tide-nano in a quarter of its weights", async () => {
    const plain = await load(NANO, {});
    const budget = Math.floor(total(plain) / 4);
    const layered = await load(NANO, { maxInCpuBytes: budget });
    layered.residency!.wake();
    assert.deepEqual(speak(layered), speak(plain));
    assert.equal(layered.residency!.report().budgetBytes, budget);
    assert.ok(layered.residency!.report().bytes.cpu <= budget);
    plain.release();
    layered.release();
  });

  test("pinned weights are the same weights", async () => {
    const plain = await load(NANO, {});
    const model = await load(NANO, { pinMemory: true });
    const residency = model.residency!;
    residency.wake();
    assert.deepEqual(speak(model), speak(plain));
    // RLIMIT_MEMLOCK may forbid it: then for all groups of this size.
    const pinned = residency.report().groups.map((group) => group.pinned);
    assert.ok(pinned.every(Boolean) || pinned.filter(Boolean).length < pinned.length);
    residency.apply({ groups: { "layers.0": "disk", "layers.1": "disk" } });
    assert.ok(residency.report().groups.every((group) => !group.pinned));
    assert.deepEqual(speak(model), speak(plain));
    model.release();
    plain.release();
  });

  test("directives change in place; refused ones change nothing", async () => {
    const model = await load(NANO, { groups: { "layers.1": "disk" } });
    const residency = model.residency!;
    residency.wake();
    const tierOf = (name: string) => residency.report().groups.find((group) => group.name === name)?.tier;
    assert.deepEqual([tierOf("embed"), tierOf("layers.0"), tierOf("layers.1")], ["cpu", "cpu", "disk"]);
    const before = residency.report();
    assert.throws(() => residency.apply({ maxInCpuBytes: 1000 }), { code: "limit_exceeded" });
    assert.throws(() => residency.apply({ groups: { "layers.9": "disk" } }), { code: "invalid_value" });
    assert.throws(() => residency.gather(["layers.9"]), { code: "invalid_value" });
    assert.deepEqual(residency.report(), before);
    residency.apply({ groups: { "layers.0": "disk" }, maxGatheredBytes: 1 });
    assert.deepEqual([tierOf("layers.0"), tierOf("layers.1")], ["disk", "cpu"]);
    assert.throws(
      () => residency.gather(["layers.0"]),
      (error: GatewayError) => error.code === "limit_exceeded" && error.details.missingBytes! > 0,
    );
    residency.apply({ groups: { "layers.0": "disk" } });
    residency.gather(["layers.0", "layers.1"]);
    assert.equal(residency.report().gathered, 1);
    residency.gather(["layers.1"]);
    assert.deepEqual([tierOf("layers.0"), residency.report().gathered], ["disk", 0]);
    model.release();
  });
});
