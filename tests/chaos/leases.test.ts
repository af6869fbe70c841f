/** A thousand generation leases that end in every way there is: what they took is given back each time. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createAccelerator, unwrapModelForGeneration } from "../../src/index.ts";
import { type LeaseServer, startLeaseServer } from "../support/lease-server.ts";
import { killWorker } from "../unit/cases/residency-rig.ts";

const accelerator = createAccelerator({
  deepspeedConfig: { zero_optimization: { stage: 3, offload_param: { device: "nvme" } } },
});

/** Small and seeded (mulberry32): a run that fails can be repeated. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const random = createRandom(1101);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

let server: LeaseServer;
let before_: string;

before(async () => {
  server = await startLeaseServer(2);
  before_ = tiers();
});
after(() => server.stop());

const tiers = (): string => JSON.stringify(server.rig.engines.map(({ residency }) => residency.tiers()));
const activeLeases = (): number =>
  server.rig.leases.api.list({ limit: 1000 }).filter(({ state }) => state === "active").length;

/** Some ends are noticed by the server alone: a connection that drops, a time that runs out. */
async function untilAsBefore(how: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (tiers() !== before_ || activeLeases() > 0) {
    assert.ok(performance.now() < end, `${how}: ${tiers()} instead of ${before_}, ${activeLeases()} leases`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

class Planned extends Error {}

const open = (over: object = {}) => unwrapModelForGeneration(server.model, accelerator, over);

const post = (signal: AbortSignal, body: object): Promise<Response> =>
  fetch(`${server.url}/api/generation-leases`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

/** The ways out. `exact`: bytes are as before at the very moment when it resolves. */
const WAYS: Readonly<Record<string, { readonly exact: boolean; readonly run: () => Promise<void> }>> = {
  return: {
    exact: true,
    async run() {
      await using model = await open();
      assert.ok(model.lease !== null);
      assert.deepEqual(await model.generate("1 + 1"), ["hi"]);
    },
  },
  throw: {
    exact: true,
    async run() {
      const scope = async (): Promise<void> => {
        await using model = await open();
        assert.equal(server.rig.leases.api.get(model.lease ?? "").state, "active");
        throw new Planned();
      };
      await assert.rejects(scope, Planned);
    },
  },
  nested: {
    exact: true,
    async run() {
      await using outer = await open();
      {
        await using inner = await open();
        assert.notEqual(inner.lease, outer.lease);
      }
      assert.notEqual(tiers(), before_);
    },
  },
  abort: {
    exact: false,
    async run() {
      const stop = new AbortController();
      const model = await open({ signal: stop.signal });
      stop.abort(new Planned());
      await assert.rejects(model.generate("1 + 1"), Planned);
    },
  },
  "abort while it is granted": {
    exact: false,
    async run() {
      const stop = new AbortController();
      const asked = open({ signal: stop.signal });
      if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, 1));
      stop.abort(new Planned());
      await asked.then(
        (model) => model.release(),
        (error: unknown) => assert.ok(error instanceof Planned, String(error)),
      );
    },
  },
  "dropped connection": {
    exact: false,
    async run() {
      const stop = new AbortController();
      const response = await post(stop.signal, { stream: true });
      assert.equal(response.status, 200);
      const reader = response.body!.getReader();
      if (random() < 0.7) await reader.read();
      stop.abort();
      await reader.cancel().catch(() => undefined);
    },
  },
  expiry: {
    exact: false,
    async run() {
      const response = await post(AbortSignal.timeout(10_000), { ttl_s: 0.1 });
      assert.equal(response.status, 201);
      await response.body?.cancel();
    },
  },
  "worker killed": {
    exact: false,
    async run() {
      await using model = await open();
      for (const engine of server.rig.engines) killWorker(engine);
      await new Promise<void>((resolve) => {
        if (model.signal.aborted) resolve();
        else model.signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await assert.rejects(model.generate("1 + 1"), /lost: embedded-/);
    },
  },
  "worker killed while it gathers": {
    exact: false,
    async run() {
      const asked = open().then(
        (model) => model.release(),
        () => undefined,
      );
      if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, 1));
      for (const engine of server.rig.engines) killWorker(engine);
      await asked;
    },
  },
  "does not fit": {
    exact: true,
    async run() {
      const { residency } = server.rig.engines[1]!;
      residency.limit = 10;
      try {
        await assert.rejects(open(), /insufficient_memory|2390 bytes are missing/);
      } finally {
        residency.limit = Number.POSITIVE_INFINITY;
      }
    },
  },
};

describe("1,000 generation leases", () => {
  test("700 one after the other: bytes per tier are as before after each", async () => {
    const seen = new Set<string>();
    for (let lease = 0; lease < 700; lease += 1) {
      // Deaths are for the few; so is waiting for a time to pass.
      const rare = random() < 0.9;
      const names = Object.keys(WAYS).filter((name) => !rare || (!name.startsWith("worker") && name !== "expiry"));
      const name = pick(names);
      seen.add(name);
      const way = WAYS[name]!;
      await way.run();
      if (way.exact) assert.equal(tiers(), before_, name);
      else await untilAsBefore(name);
    }
    assert.equal(seen.size, Object.keys(WAYS).length, "every way was taken");
  });

  test("300 at the same time, ten by ten: none leaks, none waits for ever", async () => {
    const quiet = Object.keys(WAYS).filter(
      (name) => !["does not fit", "worker killed while it gathers"].includes(name),
    );
    for (let round = 0; round < 30; round += 1) {
      const names = Array.from({ length: 10 }, () => pick(quiet));
      const killed = names.includes("worker killed");
      const results = await Promise.allSettled(names.map((name) => WAYS[name]!.run()));
      // A death ends the others' leases too, and they say so; nothing else may go wrong.
      if (!killed)
        for (const result of results) assert.equal(result.status, "fulfilled", String(Object(result).reason));
      await untilAsBefore(names.join(", "));
    }
  });
});
