/** The fleet: choosing, waiting, freshness, breaker. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Engine } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Lease, LeaseWishes } from "../../src/fleet/types.ts";
import { settle } from "../support/manual-clock.ts";
import {
  createFakeEngine,
  createWorld,
  digest,
  id,
  infoOf,
  live,
  refusal,
  takers,
  version,
  type World,
  wish,
  withReplicas,
} from "./cases/fleet-rig.ts";

describe("fleet: choosing", () => {
  test("ids count up per kind and are never given twice", async () => {
    const { fleet } = createWorld();
    assert.equal(fleet.nextId("embedded"), "embedded-0");
    assert.equal(fleet.nextId("vllm"), "vllm-0");
    await fleet.addReplica(fleet.nextId("vllm"), createFakeEngine({ url: "http://a" }), live());
    await fleet.removeReplica(id("vllm-1"), live());
    assert.equal(fleet.nextId("vllm"), "vllm-2");
  });

  test("least in flight; ties go round", async () => {
    const world = createWorld();
    await withReplicas(world, 3);
    assert.deepEqual(
      await takers(world.fleet, 6),
      [0, 1, 2, 0, 1, 2].map((n) => `embedded-${n}`),
    );
    const idle: string[] = [];
    for (let index = 0; index < 3; index += 1) idle.push(...(await takers(world.fleet, 1)));
    assert.equal(new Set(idle).size, 3, "an idle fleet goes round too");
    const first = await world.fleet.acquire(wish());
    const second = await world.fleet.acquire(wish());
    second.release("ok");
    const third = await world.fleet.acquire(wish());
    const fourth = await world.fleet.acquire(wish());
    assert.ok(![third, fourth].some((lease) => lease.replica.id === first.replica.id));
  });

  test("round-robin regardless of load", async () => {
    const world = createWorld("round-robin");
    await withReplicas(world, 2);
    const first = await world.fleet.acquire(wish());
    const second = await world.fleet.acquire(wish());
    second.release("ok");
    const third = await world.fleet.acquire(wish());
    assert.equal(third.replica.id, first.replica.id);
  });

  test("a session stays, also under load, and moves only when its replica leaves", async () => {
    const world = createWorld();
    const engines = await withReplicas(world, 4);
    const home = new Map<string, string>();
    for (let index = 0; index < 200; index += 1) {
      const sessionId = `session-${index}`;
      const [one, two] = await takers(world.fleet, 2, { sessionId });
      assert.equal(one, two);
      home.set(sessionId, one ?? "");
    }
    const spread = new Set(home.values());
    assert.equal(spread.size, 4);
    for (const replica of spread) {
      const share = [...home.values()].filter((value) => value === replica).length;
      assert.ok(share > 20 && share < 80, `${replica} has ${share} of 200`);
    }
    engines[1]?.notify({ type: "down", reason: "crashed", recovering: true });
    for (const [sessionId, before] of home) {
      const [now] = await takers(world.fleet, 1, { sessionId });
      if (before === "embedded-1") assert.notEqual(now, "embedded-1");
      else assert.equal(now, before);
    }
  });

  test("only replicas that have the model; an unknown one in vLLM's words", async () => {
    const world = createWorld();
    const { fleet } = world;
    await fleet.addReplica(id("a"), createFakeEngine({ models: ["tiny"] }), live());
    await fleet.addReplica(id("b"), createFakeEngine({ models: ["big", "tiny-lora"] }), live());
    assert.deepEqual(await takers(fleet, 2, { model: "big" }), ["b", "b"]);
    const error = await refusal(fleet.acquire(wish({ model: "nope" })), "model_not_found");
    assert.equal(error.message, "The model `nope` does not exist. Valid aliases: tiny, big, tiny-lora.");
    assert.equal(error.status, 404);
  });

  test("only replicas whose engine passes", async () => {
    const world = createWorld();
    const { fleet } = world;
    await fleet.addReplica(id("a"), createFakeEngine(), live());
    await fleet.addReplica(id("b"), createFakeEngine({ url: "http://b" }), live());
    const accepts = (engine: Engine): boolean => engine.kind === "vllm";
    assert.deepEqual(await takers(fleet, 2, { accepts }), ["b", "b"]);
    const none = await refusal(fleet.acquire(wish({ accepts: () => false })), "no_replica");
    assert.match(none.message, /a: cannot take this kind of request; b: cannot/);
  });

  test("not those already tried, unless nobody else is left", async () => {
    const world = createWorld();
    await withReplicas(world, 2);
    const exclude = new Set(["embedded-0"]);
    assert.deepEqual(await takers(world.fleet, 3, { exclude }), ["embedded-1", "embedded-1", "embedded-1"]);
    exclude.add("embedded-1");
    assert.equal((await takers(world.fleet, 1, { exclude })).length, 1);
  });
});

describe("fleet: waiting", () => {
  test("an empty fleet refuses at once", async () => {
    const error = await refusal(createWorld().fleet.acquire(wish()), "no_replica");
    assert.equal(error.status, 503);
    assert.match(error.message, /empty/);
  });

  test("behind a closed gate, until every closer opened it", async () => {
    const world = createWorld();
    await withReplicas(world, 1);
    const openOne = world.fleet.closeGate();
    const openTwo = world.fleet.closeGate();
    const got: Lease[] = [];
    void world.fleet.acquire(wish()).then((lease) => got.push(lease));
    await world.clock.advance(120_000);
    openOne();
    openOne();
    await settle();
    assert.equal(got.length, 0);
    assert.equal(world.fleet.waiting, 1);
    openTwo();
    await settle();
    assert.equal(got[0]?.replica.id, "embedded-0");
    assert.equal(world.fleet.waiting, 0);
  });

  test("until a recovering replica is up", async () => {
    const world = createWorld();
    const [engine] = await withReplicas(world, 1);
    engine?.notify({ type: "down", reason: "exit code 1", recovering: true });
    const lease = world.fleet.acquire(wish());
    await world.clock.advance(5000);
    engine?.notify({ type: "up", info: infoOf(["tiny"]) });
    assert.equal((await lease).replica.id, "embedded-0");
    assert.equal(world.clock.pending, 0);
  });

  test("30 seconds at most, then with the reason of each replica", async () => {
    const world = createWorld();
    const engines = await withReplicas(world, 2);
    engines[0]?.notify({ type: "down", reason: "exit code 1", recovering: true });
    engines[1]?.notify({ type: "down", reason: "gave up", recovering: false });
    const lease = refusal(world.fleet.acquire(wish()), "no_replica");
    await world.clock.advance(29_900);
    assert.equal(world.fleet.waiting, 1);
    await world.clock.advance(200);
    const error = await lease;
    assert.match(error.message, /embedded-0: starting \(exit code 1\); embedded-1: unreachable \(gave up\)/);
  });

  test("not at all when nobody is coming back", async () => {
    const world = createWorld();
    const [engine] = await withReplicas(world, 1);
    engine?.notify({ type: "down", reason: "gave up", recovering: false });
    await refusal(world.fleet.acquire(wish()), "no_replica");
  });

  test("no longer than the caller", async () => {
    const world = createWorld();
    await withReplicas(world, 1);
    world.fleet.closeGate();
    const controller = new AbortController();
    const lease = world.fleet.acquire(wish({ signal: controller.signal }));
    const reason = new GatewayError("client_closed", "left");
    controller.abort(reason);
    await assert.rejects(lease, reason);
    assert.equal(world.fleet.waiting, 0);
  });

  test("for a replica that has not told its models yet, instead of calling the model unknown", async () => {
    const world = createWorld();
    const engine = createFakeEngine();
    engine.hangStart = true;
    const started = world.fleet.addReplica(id("a"), engine, live());
    started.catch(() => undefined);
    const lease = world.fleet.acquire(wish({ model: "tiny" }));
    await settle();
    engine.notify({ type: "up", info: infoOf(["tiny"]) });
    assert.equal((await lease).replica.id, "a");
  });
});

describe("fleet: freshness", () => {
  async function three(): Promise<World> {
    const world = createWorld();
    await withReplicas(world, 3);
    world.fleet.setWeights(id("embedded-0"), version(3), digest("a"));
    world.fleet.setWeights(id("embedded-1"), version(4), digest("b"));
    world.fleet.setWeights(id("embedded-2"), version(5), digest("c"));
    world.fleet.publish(version(4), digest("b"));
    return world;
  }
  const who = async (world: World, wishes: Partial<LeaseWishes>): Promise<string[]> =>
    [...new Set(await takers(world.fleet, 4, wishes))].sort();

  test("without wishes: the published version only, never unpublished weights", async () => {
    assert.deepEqual(await who(await three(), {}), ["embedded-1"]);
  });
  test("min, exact and lag", async () => {
    const world = await three();
    assert.deepEqual(await who(world, { minVersion: 3 }), ["embedded-0", "embedded-1"]);
    assert.deepEqual(await who(world, { minVersion: 4 }), ["embedded-1"]);
    assert.deepEqual(await who(world, { exactVersion: 3 }), ["embedded-0"]);
    assert.deepEqual(await who(world, { maxLag: 0 }), ["embedded-1"]);
    assert.deepEqual(await who(world, { maxLag: 1 }), ["embedded-0", "embedded-1"]);
    assert.deepEqual(await who(world, { maxLag: 1, minVersion: 4 }), ["embedded-1"]);
  });
  test("a version that is not there: 412 at once, saying what is", async () => {
    const error = await refusal((await three()).fleet.acquire(wish({ minVersion: 9 })), "version_unavailable");
    assert.equal(error.status, 412);
    assert.match(error.message, /at least 9/);
    assert.match(error.message, /Published: 4\. There: embedded-0: 3 \(ready\), embedded-1: 4/);
    assert.equal(error.details.param, "x-min-weight-version");
  });
  test("waits for it as long as the caller wants", async () => {
    const world = await three();
    const lease = world.fleet.acquire(wish({ minVersion: 5, waitMilliseconds: 1000 }));
    await world.clock.advance(900);
    world.fleet.publish(version(5), digest("c"));
    assert.equal((await lease).replica.id, "embedded-2");
    const late = refusal(world.fleet.acquire(wish({ minVersion: 6, waitMilliseconds: 1000 })), "version_unavailable");
    await world.clock.advance(1100);
    await late;
  });
  test("the same version with another digest is not the same weights", async () => {
    const world = await three();
    world.fleet.setWeights(id("embedded-0"), version(4), digest("f"));
    assert.deepEqual(await who(world, {}), ["embedded-1"]);
    world.fleet.setWeights(id("embedded-0"), version(4), null);
    assert.deepEqual(await who(world, {}), ["embedded-0", "embedded-1"]);
  });
  test("everybody stale: says so instead of serving old weights", async () => {
    const world = createWorld();
    await withReplicas(world, 1);
    world.fleet.publish(version(2), null);
    const error = await refusal(world.fleet.acquire(wish()), "no_replica");
    assert.match(error.message, /embedded-0: has weights 0, published are 2/);
  });
});

describe("fleet: breaker", () => {
  const failTimes = async (world: World, count: number, replica: string): Promise<void> => {
    const exclude = new Set(world.fleet.replicas().map((one) => one.id as string));
    exclude.delete(replica);
    for (let index = 0; index < count; index += 1) (await world.fleet.acquire(wish({ exclude }))).release("failed");
  };

  test("opens after failures in a row, tries once after a pause, closes on success", async () => {
    const world = createWorld();
    await withReplicas(world, 2);
    await failTimes(world, 5, "embedded-0");
    assert.deepEqual(await takers(world.fleet, 4), Array(4).fill("embedded-1"));
    assert.match(world.fleet.replica("embedded-0")?.lastError ?? "", /failed/);
    await world.clock.advance(3000);
    const held = [
      await world.fleet.acquire(wish()),
      await world.fleet.acquire(wish()),
      await world.fleet.acquire(wish()),
    ];
    const trials = held.filter((lease) => lease.replica.id === "embedded-0");
    assert.equal(trials.length, 1);
    trials[0]?.release("failed");
    assert.deepEqual(await takers(world.fleet, 3), Array(3).fill("embedded-1"));
    await world.clock.advance(5000);
    for (const lease of held) lease.release("ok");
    const again = await takers(world.fleet, 4);
    assert.ok(again.includes("embedded-0"));
    assert.equal(world.fleet.replica("embedded-0")?.lastError, null);
  });

  test("a success in between starts the count anew", async () => {
    const world = createWorld();
    await withReplicas(world, 2);
    for (let round = 0; round < 5; round += 1) {
      await failTimes(world, 4, "embedded-0");
      await takers(world.fleet, 1, { exclude: new Set(["embedded-1"]) });
    }
    assert.ok((await takers(world.fleet, 4)).includes("embedded-0"));
  });

  test("never shuts out everybody", async () => {
    const world = createWorld();
    const engines = await withReplicas(world, 2);
    await failTimes(world, 20, "embedded-0");
    await failTimes(world, 20, "embedded-1");
    assert.deepEqual(await takers(world.fleet, 2), ["embedded-1", "embedded-1"]);
    engines[1]?.notify({ type: "down", reason: "gone", recovering: false });
    assert.deepEqual(await takers(world.fleet, 2), ["embedded-0", "embedded-0"]);
  });

  test("a restarted replica has no past", async () => {
    const world = createWorld();
    const engines = await withReplicas(world, 2);
    await failTimes(world, 5, "embedded-0");
    engines[0]?.notify({ type: "down", reason: "exit", recovering: true });
    engines[0]?.notify({ type: "up", info: infoOf(["tiny"]) });
    assert.ok((await takers(world.fleet, 4)).includes("embedded-0"));
  });

  test("releasing twice counts once", async () => {
    const world = createWorld();
    await withReplicas(world, 1);
    const lease = await world.fleet.acquire(wish());
    lease.release("ok");
    lease.release("failed");
    assert.equal(world.fleet.replica("embedded-0")?.inFlight, 0);
  });
});
