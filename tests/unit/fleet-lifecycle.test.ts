/** The fleet: lifecycle of replicas, and what the fleet tells of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
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
  wish,
  withReplicas,
} from "./cases/fleet-rig.ts";

describe("fleet: lifecycle", () => {
  test("states: starting, ready, draining, back; a sync's own", async () => {
    const world = createWorld();
    const { fleet } = world;
    const engine = createFakeEngine();
    const added = fleet.addReplica(id("a"), engine, live());
    assert.equal(fleet.replica("a")?.state, "starting");
    await added;
    assert.equal(fleet.replica("a")?.state, "ready");
    assert.equal(fleet.patchReplica("a", "draining").state, "draining");
    await refusal(fleet.acquire(wish()), "no_replica");
    assert.equal(fleet.patchReplica("a", "ready").state, "ready");
    fleet.setState(id("a"), "syncing", null);
    assert.throws(() => fleet.patchReplica("a", "ready"), /sync_in_progress|weight sync runs/);
    fleet.setState(id("a"), "quarantined", "digest differs");
    assert.equal(fleet.replica("a")?.lastError, "digest differs");
    fleet.setState(id("a"), "ready", null);
    assert.equal(fleet.replica("a")?.lastError, null);
    assert.throws(() => fleet.patchReplica("b", "ready"), /no server b\. Known: a\./);
    fleet.setState(id("gone"), "ready", null);
  });

  test("a drained replica that restarts stays drained", async () => {
    const world = createWorld();
    const [engine] = await withReplicas(world, 1);
    world.fleet.patchReplica("embedded-0", "draining");
    engine?.notify({ type: "down", reason: "exit", recovering: true });
    assert.equal(world.fleet.replica("embedded-0")?.state, "starting");
    engine?.notify({ type: "up", info: infoOf(["tiny"]) });
    assert.equal(world.fleet.replica("embedded-0")?.state, "draining");
  });

  test("a sync that ends does not put a drained replica back", async () => {
    const world = createWorld();
    await withReplicas(world, 1);
    world.fleet.patchReplica("embedded-0", "draining");
    world.fleet.setState(id("embedded-0"), "syncing", null);
    assert.equal(world.fleet.replica("embedded-0")?.state, "syncing");
    world.fleet.setState(id("embedded-0"), "ready", null);
    assert.equal(world.fleet.replica("embedded-0")?.state, "draining");
    assert.equal(world.fleet.patchReplica("embedded-0", "ready").state, "ready");
  });

  test("a fenced replica returns only by a restart with the published digest", async () => {
    const world = createWorld();
    const [engine] = await withReplicas(world, 1);
    world.fleet.publish(version(1), digest("a"));
    world.fleet.setState(id("embedded-0"), "quarantined", "half loaded");
    engine?.notify({ type: "down", reason: "exit", recovering: true });
    engine?.notify({ type: "up", info: infoOf(["tiny"], 1, digest("b")) });
    assert.equal(world.fleet.replica("embedded-0")?.state, "quarantined");
    engine?.notify({ type: "up", info: infoOf(["tiny"], 1, digest("a")) });
    assert.equal(world.fleet.replica("embedded-0")?.state, "quarantined");
    engine?.notify({ type: "down", reason: "exit", recovering: true });
    engine?.notify({ type: "up", info: infoOf(["tiny"], 1, digest("a")) });
    assert.equal(world.fleet.replica("embedded-0")?.state, "ready");
  });

  test("a start has a deadline; the message names the flag", async () => {
    const world = createWorld();
    const engine = createFakeEngine();
    engine.hangStart = true;
    const added = refusal(world.fleet.addReplica(id("a"), engine, live()), "deadline_exceeded");
    await world.clock.advance(60_100);
    assert.match((await added).message, /60 s \(--start-timeout\)/);
    assert.equal(world.fleet.replica("a")?.state, "unreachable");
  });

  test("an upstream that is down at first is tried again and taken in", async () => {
    const world = createWorld();
    const engine = createFakeEngine({ url: "http://a" });
    engine.failStart = new GatewayError("upstream_failed", "connection refused");
    engine.failProbe = engine.failStart;
    await refusal(world.fleet.addReplica(id("a"), engine, live()), "upstream_failed");
    await world.clock.advance(10_000);
    assert.equal(world.fleet.replica("a")?.state, "unreachable");
    engine.failStart = null;
    engine.failProbe = null;
    await world.clock.advance(3000);
    assert.equal(world.fleet.replica("a")?.state, "ready");
  });

  test("probes: a hard failure takes it out at once, one slow answer does not", async () => {
    const world = createWorld();
    const { clock, fleet } = world;
    const engine = createFakeEngine({ url: "http://a" });
    await fleet.addReplica(id("a"), engine, live());
    await clock.advance(10_000);
    assert.ok(engine.probes >= 4 && engine.probes <= 6, `${engine.probes} probes in 10 s`);
    engine.hangProbe = true;
    await clock.advance(7500);
    assert.equal(fleet.replica("a")?.state, "ready");
    await clock.advance(8000);
    assert.equal(fleet.replica("a")?.state, "unreachable");
    assert.match(fleet.replica("a")?.lastError ?? "", /longer than 5 s/);
    engine.hangProbe = false;
    engine.info = infoOf(["tiny"], 0);
    await clock.advance(10_000);
    assert.equal(fleet.replica("a")?.state, "ready");
    engine.failProbe = new GatewayError("upstream_failed", "connection refused");
    await clock.advance(2500);
    assert.equal(fleet.replica("a")?.state, "unreachable");
  });

  test("a worker without a URL is not probed", async () => {
    const world = createWorld();
    const [engine] = await withReplicas(world, 1);
    await world.clock.advance(60_000);
    assert.equal(engine?.probes, 0);
  });

  test("an upstream that lost its weights comes back stale, and is not served from", async () => {
    const world = createWorld();
    const engine = createFakeEngine({ url: "http://a" });
    await world.fleet.addReplica(id("a"), engine, live());
    world.fleet.setWeights(id("a"), version(3), null);
    world.fleet.publish(version(3), null);
    assert.deepEqual(await takers(world.fleet, 1), ["a"]);
    engine.notify({ type: "down", reason: "engine died", recovering: false });
    await world.clock.advance(3000);
    assert.equal(world.fleet.replica("a")?.state, "ready");
    await refusal(world.fleet.acquire(wish()), "no_replica");
  });

  test("detach waits for running requests, then stops and forgets", async () => {
    const world = createWorld();
    const [engine] = await withReplicas(world, 2);
    const lease = await world.fleet.acquire(wish({ exclude: new Set(["embedded-1"]) }));
    const removed = world.fleet.removeReplica(id("embedded-0"), live());
    await settle();
    assert.equal(engine?.stopped, 0);
    assert.deepEqual(await takers(world.fleet, 2), ["embedded-1", "embedded-1"]);
    lease.release("ok");
    await removed;
    assert.equal(engine?.stopped, 1);
    assert.deepEqual(
      world.fleet.replicas().map((replica) => replica.id),
      ["embedded-1"],
    );
    engine?.notify({ type: "up", info: infoOf(["other"]) });
    assert.equal(world.fleet.replicas().length, 1);
  });

  test("detach during the start ends the start", async () => {
    const world = createWorld();
    const engine = createFakeEngine();
    engine.hangStart = true;
    const added = refusal(world.fleet.addReplica(id("a"), engine, live()), "draining");
    await world.fleet.removeReplica(id("a"), live());
    await added;
    assert.equal(world.clock.pending, 0);
  });

  test("a known id is a conflict", async () => {
    const world = createWorld();
    await withReplicas(world, 1);
    await refusal(world.fleet.addReplica(id("embedded-0"), createFakeEngine(), live()), "conflict");
  });

  test("drained resolves with the last lease of those replicas, rejects with the signal", async () => {
    const world = createWorld();
    await withReplicas(world, 2);
    const leases = [await world.fleet.acquire(wish()), await world.fleet.acquire(wish())];
    let done = false;
    const drained = world.fleet.drained([id("embedded-0")], live()).then(() => {
      done = true;
    });
    const other = leases.find((lease) => lease.replica.id === "embedded-1");
    const own = leases.find((lease) => lease.replica.id === "embedded-0");
    other?.release("ok");
    await settle();
    assert.equal(done, false);
    const controller = new AbortController();
    const given = world.fleet.drained([id("embedded-0")], controller.signal);
    controller.abort(new Error("deadline"));
    await assert.rejects(given, /deadline/);
    own?.release("ok");
    await drained;
  });

  test("stop refuses waiting and new requests, lets running ones end, stops every engine", async () => {
    const world = createWorld();
    const engines = await withReplicas(world, 2);
    const running = await world.fleet.acquire(wish());
    world.fleet.closeGate();
    const waiting = refusal(world.fleet.acquire(wish()), "draining");
    const stopped = world.fleet.stop(live());
    await waiting;
    await refusal(world.fleet.acquire(wish()), "draining");
    assert.equal(engines[0]?.stopped, 0);
    running.release("ok");
    await stopped;
    assert.deepEqual(
      engines.map((engine) => engine.stopped),
      [1, 1],
    );
    assert.equal(world.fleet.replicas()[0]?.state, "stopped");
  });
});

describe("fleet: what it tells", () => {
  test("snapshot in the contract's shape", async () => {
    const world = createWorld();
    const engines = await withReplicas(world, 2);
    assert.deepEqual(world.fleet.server("embedded-0"), {
      id: "embedded-0",
      kind: "embedded",
      url: null,
      state: "ready",
      weight_version: 0,
      weight_digest: null,
      world_size: 2,
      in_flight: 0,
      weight: 1,
      models: ["tiny"],
      last_error: null,
      residency: null,
      details: { device: "cpu" },
    });
    assert.equal(world.fleet.snapshot().state, "ready");
    assert.equal(world.fleet.snapshot().world_size, 4);
    assert.equal(world.fleet.snapshot({ paused: true }).state, "paused");
    engines[0]?.notify({ type: "down", reason: "exit", recovering: true });
    assert.equal(world.fleet.snapshot().state, "degraded");
    engines[1]?.notify({ type: "down", reason: "exit", recovering: true });
    assert.equal(world.fleet.snapshot().state, "starting");
    engines[0]?.notify({ type: "down", reason: "exit", recovering: false });
    engines[1]?.notify({ type: "down", reason: "exit", recovering: false });
    assert.equal(world.fleet.snapshot().state, "unavailable");
  });

  test("every change once, to every subscriber", async () => {
    const world = createWorld();
    const [engine] = await withReplicas(world, 1);
    const seen: (string | null)[] = [];
    const unsubscribe = world.fleet.subscribe((changed) => seen.push(changed));
    engine?.notify({ type: "down", reason: "exit", recovering: true });
    engine?.notify({ type: "down", reason: "exit", recovering: true });
    world.fleet.publish(version(1), null);
    unsubscribe();
    engine?.notify({ type: "up", info: infoOf(["tiny"]) });
    assert.deepEqual(seen, ["embedded-0", null]);
  });

  test("metrics: bounded by replicas and states, zeroed after a detach", async () => {
    const world = createWorld();
    await withReplicas(world, 2);
    const lease = await world.fleet.acquire(wish());
    const text = world.metrics.expose();
    assert.match(text, /tidegate_replica_in_flight\{replica="embedded-0"\} 1/);
    assert.match(text, /tidegate_replica_state\{replica="embedded-1",state="ready"\} 1/);
    lease.release("failed");
    await world.fleet.removeReplica(id("embedded-0"), live());
    const after = world.metrics.expose();
    assert.match(after, /tidegate_replica_failures_total\{replica="embedded-0"\} 1/);
    assert.match(after, /tidegate_replica_state\{replica="embedded-0",state="ready"\} 0/);
  });
});
