/** Generation leases on a real gateway with a real worker: every end gives the bytes back, `kill -9` included; syncs and leases. */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { GenerationLease } from "../../src/contract/control/generation-leases.ts";
import type { ModelResidency } from "../../src/contract/control/residency.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import {
  connectModel,
  createAccelerator,
  prepareDeepspeed,
  type ServedModel,
  unwrapModelForGeneration,
  VLLMClient,
} from "../../src/index.ts";
import { json, modelPath, postJson, type Served, serve } from "./serve.ts";

/** A quarter of tide-nano's 1,049,728 elements stays in memory. */
const accelerator = createAccelerator({
  deepspeedConfig: { zero_optimization: { stage: 3, offload_param: { device: "nvme", max_in_cpu: 262_432 } } },
});
const QUESTION = "What is 17 + 25?";
const GREEDY = { temperature: 0, maxTokens: 24 };

let served: Served;
let model: ServedModel;

before(async () => {
  served = await serve();
  model = await connectModel(new VLLMClient({ baseUrl: served.url }));
});
after(() => served?.stop());

const residency = async () =>
  (await json<ModelResidency>(`${served.url}/api/models/${model.id}/residency`)).body.servers[0]?.residency;
const workerPid = async (): Promise<number> => {
  const { body } = await json<Fleet>(`${served.url}/api/fleet`);
  const pid = body.servers[0]?.details.pid;
  assert.ok(typeof pid === "number");
  return pid;
};

async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await check())) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const scope = async (inside: (generate: () => Promise<string[]>) => Promise<void>, signal?: AbortSignal) => {
  await using unwrapped = await unwrapModelForGeneration(model, accelerator, signal === undefined ? {} : { signal });
  await inside(() => unwrapped.generate([QUESTION], GREEDY));
};

describe("leases on a real worker", () => {
  test("after every end bytes per tier are as before, and the answers are the same", async (t) => {
    if ((await fetch(`${served.url}/api/models/${model.id}/residency`)).status === 400) {
      t.skip("this engine does not tell where its weights are");
      return;
    }
    const [resident] = await model.client.generate([QUESTION], GREEDY);
    await prepareDeepspeed(model, accelerator);
    const start = await residency();
    assert.ok(start !== undefined && start.bytes.disk > 3 * start.bytes.cpu, JSON.stringify(start?.bytes));
    const bytes = JSON.stringify(start.bytes);
    const asBefore = async (): Promise<boolean> => {
      const now = await residency().catch(() => undefined);
      return now !== undefined && now.gathered === 0 && JSON.stringify(now.bytes) === bytes;
    };
    for (let round = 0; round < 40; round += 1) {
      const way = round % 8 === 7 ? "kill" : (["return", "throw", "abort", "drop"] as const)[round % 4]!;
      if (way === "return") {
        await scope(async (generate) => {
          assert.equal((await residency())?.bytes.disk, 0);
          assert.deepEqual(await generate(), [resident]);
        });
        assert.ok(await asBefore(), way);
      } else if (way === "throw") {
        const planned = new Error("planned");
        await assert.rejects(
          scope(() => Promise.reject(planned)),
          planned,
        );
        assert.ok(await asBefore(), way);
      } else if (way === "abort") {
        const stop = new AbortController();
        await assert.rejects(
          scope(async (generate) => {
            stop.abort(new Error("planned"));
            await generate();
          }, stop.signal),
          /planned/,
        );
        assert.ok(await asBefore(), way);
      } else if (way === "drop") {
        const stop = new AbortController();
        const response = await fetch(`${served.url}/api/generation-leases`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ stream: true }),
          signal: stop.signal,
        });
        assert.equal(response.status, 200);
        stop.abort();
        await eventually("the dropped connection gives back", asBefore);
      } else {
        const pid = await workerPid();
        await assert.rejects(
          scope(async (generate) => {
            process.kill(pid, "SIGKILL");
            await eventually("the worker is replaced", async () => (await workerPid()) !== pid);
            await generate();
          }),
          /Lease gl_.* has ended \(lost/,
        );
        await eventually("the new worker follows the plan", asBefore);
      }
    }
    assert.deepEqual(await model.client.generate([QUESTION], GREEDY), [resident]);
  });
});

describe("weight syncs and leases", () => {
  const lease = async (): Promise<GenerationLease> => {
    const { status, body } = await postJson<GenerationLease>(`${served.url}/api/generation-leases`, {});
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  };
  const sync = (mode: "wait" | "abort" | "keep", seconds: number) =>
    postJson<WeightSync>(
      `${served.url}/api/weight-syncs`,
      { source: { kind: "disk", path: modelPath("base") }, mode },
      { prefer: `wait=${seconds}` },
    );
  const state = async ({ id }: GenerationLease) =>
    (await json<GenerationLease>(`${served.url}/api/generation-leases/${id}`)).body.state;

  test("wait: the sync ends after the lease, whose holder can generate until then", async () => {
    const held = await lease();
    const started = await sync("wait", 1);
    assert.equal(started.status, 202, JSON.stringify(started.body));
    assert.equal((await model.client.generate([QUESTION], GREEDY)).length, 1);
    await fetch(`${served.url}/api/generation-leases/${held.id}`, { method: "DELETE" });
    await eventually("the sync completes", async () => {
      const { body } = await json<WeightSync>(`${served.url}/api/weight-syncs/${started.body.id}`);
      assert.notEqual(body.state, "failed", JSON.stringify(body));
      return body.state === "completed";
    });
  });

  test("abort: the sync takes the lease", async () => {
    const held = await lease();
    assert.equal((await sync("abort", 60)).status, 200);
    assert.equal(await state(held), "revoked");
  });

  test("keep: the lease stays", async () => {
    const held = await lease();
    assert.equal((await sync("keep", 60)).status, 200);
    assert.equal(await state(held), "active");
    await fetch(`${served.url}/api/generation-leases/${held.id}`, { method: "DELETE" });
  });
});
