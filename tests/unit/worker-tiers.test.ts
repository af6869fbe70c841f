/** Weights that move while a worker serves: running answers go on with the very same text. In one process, with the real model. */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import type { WeightDigest } from "../../src/contract/ids.ts";
import type { ResidencyReport } from "../../src/engine/engine.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import { loadModel } from "../../src/worker/load-model.ts";
import type { FromWorker, ToWorker } from "../../src/worker/protocol.ts";
import { createWorkerCore } from "../../src/worker/requests/core.ts";
import { ask, textOf, textPrompt, version } from "../support/worker-rig.ts";

const BASE = fileURLToPath(new URL("../../models/tide-nano/base", import.meta.url));
const TRAINED = fileURLToPath(new URL("../../models/tide-nano/trained/model.safetensors", import.meta.url));
const QUARTER = 1_049_728;
const elsewhere = process.platform === "linux" ? false : "weights on disk need Linux";

async function createWorker() {
  const sent: FromWorker[] = [];
  let nextId = 1;
  const core = createWorkerCore({
    files: createFiles(),
    loadModel,
    createBatcher,
    send: (message) => void sent.push(message),
    congested: () => false,
    now: () => new Date(0),
    drawSeed: () => 1,
    turn: () => new Promise((resolve) => void setTimeout(resolve, 0)),
    fail: (error) => {
      throw error;
    },
  });
  const until = async (condition: () => boolean): Promise<void> => {
    for (let turn = 0; turn < 20_000 && !condition(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.ok(condition(), "it did not happen");
  };
  const worker = {
    async call<T>(message: Record<string, unknown>): Promise<T> {
      const id = nextId++;
      core.handle({ ...message, id } as ToWorker);
      const answer = () => sent.find((one) => (one.type === "result" || one.type === "error") && one.id === id);
      await until(() => answer() !== undefined);
      const found = answer();
      if (found?.type === "error") throw Object.assign(new Error(found.error.message), found.error);
      return (found as { result: T }).result;
    },
    start(text: string): number {
      const id = nextId++;
      const request = ask({ maxTokens: 60, ignoreEos: true }, [textPrompt(text)]);
      core.handle({ type: "generate", id, request, credit: 10_000 });
      return id;
    },
    events: (id: number) =>
      sent.flatMap((one) => (one.type === "events" && one.id === id ? (one.events as GenerateEvent[]) : [])),
    async text(id: number): Promise<string> {
      await until(() => worker.events(id).at(-1)?.type === "end");
      return textOf(worker.events(id));
    },
    /** Some, not all, of it is there. */
    begun: (id: number) => until(() => worker.events(id).length > 5),
    stop: () => core.handle({ type: "stop" }),
  };
  const load = { directory: BASE, device: "cpu", maxConcurrency: 4, maxModelLen: 256, maxQueue: 100, sets: [] };
  await worker.call({ type: "load", ...load, version: version(0) });
  return worker;
}

const apply = (maxInCpuBytes?: number) => ({
  type: "applyResidency",
  directive: maxInCpuBytes === undefined ? {} : { maxInCpuBytes },
});

describe("moving weights while serving", { skip: elsewhere }, () => {
  test("into tiers, gathered, given back, and into memory again: running text goes on", async () => {
    const worker = await createWorker();
    const want = await worker.text(worker.start("What is 17 + 25?"));
    const before = await worker.call<ResidencyReport>({ type: "residency" });
    assert.deepEqual(before.bytes, { device: 0, cpu: 4 * QUARTER, disk: 0 });

    const moving = worker.start("What is 17 + 25?");
    await worker.begun(moving);
    const tiers = await worker.call<ResidencyReport>(apply(QUARTER));
    assert.ok(tiers.bytes.cpu <= QUARTER && tiers.bytes.cpu + tiers.bytes.disk === 4 * QUARTER);
    assert.equal(await worker.text(moving), want);
    assert.ok(tiers.tokens >= before.tokens);

    const leased = worker.start("What is 17 + 25?");
    await worker.begun(leased);
    const gathered = await worker.call<ResidencyReport>({ type: "gather", groups: "all" });
    assert.deepEqual(gathered.bytes, before.bytes);
    await worker.call({ type: "releaseGathered" });
    assert.equal(await worker.text(leased), want);
    assert.deepEqual((await worker.call<ResidencyReport>({ type: "residency" })).bytes, tiers.bytes);

    const back = worker.start("What is 17 + 25?");
    await worker.begun(back);
    const memory = await worker.call<ResidencyReport>(apply());
    assert.deepEqual(memory.bytes, before.bytes);
    assert.equal(await worker.text(back), want);
    worker.stop();
  });

  test("a switch in tiers gives the weights and the text of a switch in memory; a gather outlives it", async () => {
    const set = { files: [TRAINED], digest: "" as WeightDigest, partial: false };
    const [plain, tiers] = await Promise.all([createWorker(), createWorker()]);
    await tiers.call(apply(QUARTER));
    const before = await tiers.call<ResidencyReport>({ type: "gather", groups: ["layers.2"] });
    const digests: unknown[] = [];
    for (const worker of [plain, tiers]) {
      await worker.call({ type: "stage", stage: "s", set });
      digests.push(await worker.call({ type: "commit", stage: "s", version: version(1), mode: "wait" }));
    }
    assert.deepEqual(digests[1], digests[0]);
    const after = await tiers.call<ResidencyReport>({ type: "residency" });
    assert.deepEqual([after.bytes, after.gathered], [before.bytes, 1]);
    await assert.rejects(tiers.call(apply(1000)), { code: "limit_exceeded" });
    assert.deepEqual((await tiers.call<ResidencyReport>({ type: "residency" })).bytes, before.bytes);
    const want = await plain.text(plain.start("What is 17 + 25?"));
    assert.equal(await tiers.text(tiers.start("What is 17 + 25?")), want);
    plain.stop();
    tiers.stop();
  });
});
