/** Whether a model fits is said before it is loaded, with every part and what would fit. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseConfig } from "../../src/config.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import { loadModel } from "../../src/worker/load-model.ts";
import { type MemoryPlan, toKvBytes } from "../../src/worker/memory-budget.ts";

const MIB = 2 ** 20;
const PLAN: MemoryPlan = {
  weights: 500 * MIB,
  loading: 900 * MIB,
  buffers: 100 * MIB,
  token: MIB / 8,
  positions: 2048,
};
const SMALL: MemoryPlan = { ...PLAN, weights: 130 * MIB, loading: 200 * MIB };

const refusal = (work: () => unknown): string => {
  let message = "";
  assert.throws(work, (error) => {
    message = error instanceof GatewayError && error.code === "limit_exceeded" ? error.message : "";
    return message !== "";
  });
  return message;
};

describe("the memory budget", () => {
  test("what is left goes to the KV cache, and no more than the budget says", () => {
    const all = toKvBytes(PLAN, { slots: 4, budgetBytes: 4096 * MIB, replicas: 1 }, new Map(), 64 * 1024 * MIB);
    assert.equal(all, (4096 - 128 - 500 - 100) * MIB);
    const free = toKvBytes(PLAN, { slots: 4, budgetBytes: undefined, replicas: 1 }, new Map(), 2048 * MIB);
    assert.ok(free <= (2048 - 128 - 500 - 100) * MIB);
  });

  test("too little: every part, what there is, and what would fit", () => {
    const smaller = new Map([["--quantize int8", SMALL]]);
    const message = refusal(() =>
      toKvBytes(PLAN, { slots: 4, budgetBytes: 800 * MIB, replicas: 1 }, smaller, 8192 * MIB),
    );
    assert.match(message, /weights 500\.0 MiB \(900\.0 MiB while they are loaded\)/);
    assert.match(message, /256\.0 MiB for one sequence of 2048 tokens/);
    assert.match(message, /--memory-budget allows 800\.0 MiB.*What would fit: --quantize int8\.$/);
    const free = refusal(() =>
      toKvBytes(PLAN, { slots: 4, budgetBytes: undefined, replicas: 2 }, new Map(), 1500 * MIB),
    );
    assert.match(free, /1\.46 GiB are free for 2 replicas.*a smaller model, or more memory/);
  });

  test("a context that does not fit: the longest that does", () => {
    const long = { ...PLAN, positions: 100_000 };
    const message = refusal(() =>
      toKvBytes(long, { slots: 1, budgetBytes: 2048 * MIB, replicas: 1 }, new Map(), 8192 * MIB),
    );
    assert.match(message, /--max-model-len 10560\.$/);
  });

  test("is checked before a byte of the weights is read", async () => {
    const directory = decodeURIComponent(new URL("../../models/tide-nano/base", import.meta.url).pathname);
    const progress: number[] = [];
    const load = (budgetBytes: number) =>
      loadModel({
        files: createFiles(),
        directory,
        sets: [],
        device: "cpu",
        maxModelLen: undefined,
        memory: { slots: 2, budgetBytes, replicas: 1 },
        onProgress: (done) => void progress.push(done),
      });
    await assert.rejects(load(130 * MIB), (error) => error instanceof GatewayError && error.code === "limit_exceeded");
    assert.deepEqual(progress, []);
    const model = await load(256 * MIB);
    assert.ok(model.kvBytes !== undefined && model.kvBytes > 0 && model.kvBytes < 128 * MIB);
    model.release();
  });

  test("is written as bytes or with a unit", () => {
    assert.equal(parseConfig({ memoryBudget: "1536MiB" }).memoryBudget, 1536 * MIB);
    assert.equal(parseConfig({ memoryBudget: "2G" }).memoryBudget, 2 * 10 ** 9);
    assert.equal(parseConfig({ memoryBudget: "1000000000" }).memoryBudget, 10 ** 9);
    assert.throws(() => parseConfig({ memoryBudget: "lots" }), /--memory-budget: must be bytes, such as 1536MiB or 4G/);
  });
});
