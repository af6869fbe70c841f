/**
 * Generation leases of a served gateway with two real workers, ended in every way there is: bytes per tier are as before after each.
 * TIDEGATE_LEASES sets how many (1000 takes some minutes); each fiftieth, and the last, kills both workers.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { GenerationLease } from "../../src/contract/control/generation-leases.ts";
import {
  connectModel,
  createAccelerator,
  type OffloadedModel,
  prepareDeepspeed,
  unwrapModelForGeneration,
  VLLMClient,
} from "../../src/index.ts";
import { json, type Served, serve } from "../system/serve.ts";

const LEASES = Number(process.env.TIDEGATE_LEASES ?? 60);
const KILL_EVERY = 50;
/** A quarter of tide-nano's weights, in elements. */
const QUARTER = 262_432;
const elsewhere = process.platform === "linux" ? false : "weights on disk need Linux";

const accelerator = createAccelerator({
  deepspeedConfig: {
    zero_optimization: {
      stage: 3,
      stage3_param_persistence_threshold: 0,
      offload_param: { device: "nvme", max_in_cpu: QUARTER },
    },
  },
});

class Planned extends Error {}

describe(`${LEASES} generation leases of real workers`, { skip: elsewhere }, () => {
  let served: Served;
  let model: OffloadedModel;
  before(async () => {
    served = await serve(["--replicas", "2"]);
    const client = new VLLMClient({ baseUrl: served.url });
    model = await prepareDeepspeed(await connectModel(client), accelerator);
  });
  after(async () => void (await served?.stop()));

  const fleet = async (): Promise<Fleet> => (await json<Fleet>(`${served.url}/api/fleet`)).body;
  /** State and bytes per tier of both replicas. */
  const tiers = async (): Promise<string> =>
    JSON.stringify((await fleet()).servers.map(({ state, residency }) => [state, residency?.bytes]));
  const active = async (): Promise<number> => {
    const { body } = await json<{ generation_leases: GenerationLease[] }>(
      `${served.url}/api/generation-leases?limit=1000`,
    );
    return body.generation_leases.filter(({ state }) => state === "active").length;
  };
  const post = (body: object, signal?: AbortSignal): Promise<Response> =>
    fetch(`${served.url}/api/generation-leases`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });

  const ways: Readonly<Record<string, () => Promise<void>>> = {
    async return() {
      await using one = await unwrapModelForGeneration(model, accelerator);
      assert.equal((await one.generate(["1 + 1 ="], { temperature: 0, maxTokens: 2 })).length, 1);
    },
    async throw() {
      const scope = async (): Promise<void> => {
        await using _one = await unwrapModelForGeneration(model, accelerator);
        throw new Planned();
      };
      await assert.rejects(scope, Planned);
    },
    async nested() {
      await using _outer = await unwrapModelForGeneration(model, accelerator);
      await using _inner = await unwrapModelForGeneration(model, accelerator);
    },
    async abort() {
      const stop = new AbortController();
      const one = await unwrapModelForGeneration(model, accelerator, { signal: stop.signal });
      stop.abort(new Planned());
      await assert.rejects(one.generate(["1"]), Planned);
    },
    async "dropped connection"() {
      const stop = new AbortController();
      const reader = (await post({ stream: true }, stop.signal)).body!.getReader();
      await reader.read();
      stop.abort();
      await reader.cancel().catch(() => undefined);
    },
    async expiry() {
      const response = await post({ ttl_s: 0.1 });
      assert.equal(response.status, 201, await response.text());
    },
  };
  const names = Object.keys(ways);

  async function killWorkers(): Promise<void> {
    const one = await unwrapModelForGeneration(model, accelerator);
    const pids = (await fleet()).servers.map(({ details }) => Number(details.pid));
    for (const pid of pids) process.kill(pid, "SIGKILL");
    while (!one.signal.aborted) await sleep(5);
    await one.release().catch(() => undefined);
  }

  test("bytes per tier are as before after each; none leaks, none waits for ever", { timeout: 3_600_000 }, async () => {
    const want = await tiers();
    assert.match(want, /"disk":[1-9]/);
    for (let lease = 1; lease <= LEASES; lease += 1) {
      const killed = lease % KILL_EVERY === 0 || lease === LEASES;
      const name = killed ? "kill -9" : (names[lease % names.length] as string);
      await (killed ? killWorkers() : ways[name]!());
      // A restart waits longer after every death, half a minute at most.
      const end = performance.now() + 90_000;
      while ((await tiers()) !== want || (await active()) > 0) {
        assert.ok(performance.now() < end, `${lease} ${name}: ${await tiers()} instead of ${want}`);
        await sleep(5);
      }
    }
  });
});
