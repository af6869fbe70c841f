/** Whether a model fits is said before it is loaded, with every part and what would fit. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "../../src/config.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import { loadModel } from "../../src/worker/load-model.ts";
import { type MemoryPlan, toKvBytes } from "../../src/worker/memory-budget.ts";

const MIB = 2 ** 20;
const BASE = decodeURIComponent(new URL("../../models/tide-nano/base", import.meta.url).pathname);
const PLAN: MemoryPlan = {
  weights: 500 * MIB,
  loading: 900 * MIB,
  buffers: 100 * MIB,
  bufferToken: 0,
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
    assert.match(
      message,
      /--memory-budget allows 800\.0 MiB.*What would fit: --quantize int8, or --memory-budget 1028MiB\.$/,
    );
    const free = refusal(() =>
      toKvBytes(PLAN, { slots: 4, budgetBytes: undefined, replicas: 2 }, new Map(), 1500 * MIB),
    );
    assert.match(free, /1\.46 GiB are free for 2 replicas.*a smaller model, or more memory \(2\.01 GiB\)/);
  });

  test("a context that does not fit: the longest that does", () => {
    const long = { ...PLAN, positions: 100_000 };
    const message = refusal(() =>
      toKvBytes(long, { slots: 1, budgetBytes: 2048 * MIB, replicas: 1 }, new Map(), 8192 * MIB),
    );
    assert.match(message, /--max-model-len 10560\.$/);
  });

  test("buffers that grow with the context shrink with it: the longest that fits is found all the same", async () => {
    const long = { ...PLAN, positions: 2 ** 20, buffers: 2 ** 20 * (MIB / 16), bufferToken: MIB / 16 };
    const limits = { slots: 1, budgetBytes: 2048 * MIB, replicas: 1 };
    const message = refusal(() => toKvBytes(long, limits, new Map(), 4096 * MIB));
    const longest = Number(/What would fit: --max-model-len (\d+)\.$/.exec(message)?.[1]);
    const at = (positions: number) => ({ ...long, positions, buffers: positions * long.bufferToken });
    assert.ok(toKvBytes(at(longest), limits, new Map(), 4096 * MIB) >= longest * long.token);
    refusal(() => toKvBytes(at(longest + 1), limits, new Map(), 4096 * MIB));
  });

  test("a real model of a very long context: what is advised is what starts", async () => {
    const directory = mkdtempSync(join(tmpdir(), "memory-"));
    cpSync(BASE, directory, { recursive: true });
    const config = JSON.parse(readFileSync(join(BASE, "config.json"), "utf8"));
    writeFileSync(join(directory, "config.json"), JSON.stringify({ ...config, max_position_embeddings: 10_000_000 }));
    const load = (maxModelLen: number | undefined) =>
      loadModel({
        ...{ files: createFiles(), directory, sets: [], device: "cpu", maxModelLen, onProgress: () => {} },
        memory: { slots: 1, budgetBytes: 200 * MIB, replicas: 1 },
      });
    const message = await load(undefined).then(
      () => "",
      (error: unknown) => String(error),
    );
    const advised = Number(/What would fit: --max-model-len (\d+)/.exec(message)?.[1]);
    assert.ok(advised > 1024, message);
    const model = await load(advised);
    assert.equal(model.maxModelLen, advised);
    model.release();
    rmSync(directory, { recursive: true });
  });

  test("is checked before a byte of the weights is read", async () => {
    const progress: number[] = [];
    const load = (budgetBytes: number) =>
      loadModel({
        files: createFiles(),
        directory: BASE,
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
