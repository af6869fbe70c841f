/** The fleet over fake engines and a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReplicaId, WeightDigest, WeightVersion } from "../../src/contract/ids.ts";
import type { Engine, EngineInfo, EngineNotice } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFleet, type FleetManager } from "../../src/fleet/fleet.ts";
import type { Lease, LeaseWishes } from "../../src/fleet/types.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { createManualClock, type ManualClock, settle } from "../support/manual-clock.ts";

interface FakeEngine extends Engine {
  notify(notice: EngineNotice): void;
  failStart: GatewayError | null;
  hangStart: boolean;
  failProbe: GatewayError | null;
  hangProbe: boolean;
  starts: number;
  probes: number;
  stopped: number;
  info: EngineInfo;
}

const version = (value: number): WeightVersion => value as WeightVersion;
const digest = (letter: string): WeightDigest => `sha256:${letter.repeat(64)}` as WeightDigest;
const id = (text: string): ReplicaId => text as ReplicaId;

const infoOf = (models: readonly string[], weights = 0, weightDigest: WeightDigest | null = null): EngineInfo => ({
  models: models.map((model) => ({ id: model, maxModelLen: 2048, root: model, parent: null })),
  worldSize: 2,
  weightVersion: version(weights),
  weightDigest,
  details: { device: "cpu" },
});

function createFakeEngine(options: { url?: string | null; models?: readonly string[] } = {}): FakeEngine {
  const listeners = new Set<(notice: EngineNotice) => void>();
  const never = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const engine: FakeEngine = {
    kind: options.url === undefined ? "embedded" : "vllm",
    url: options.url ?? null,
    failStart: null,
    hangStart: false,
    failProbe: null,
    hangProbe: false,
    starts: 0,
    probes: 0,
    stopped: 0,
    info: infoOf(options.models ?? ["tiny"]),
    async start({ signal }) {
      engine.starts += 1;
      if (engine.hangStart) return never(signal);
      if (engine.failStart !== null) throw engine.failStart;
      return engine.info;
    },
    async stop() {
      engine.stopped += 1;
    },
    async probe({ signal }) {
      engine.probes += 1;
      if (engine.hangProbe) await never(signal);
      if (engine.failProbe !== null) throw engine.failProbe;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    notify(notice) {
      for (const listener of listeners) listener(notice);
    },
  };
  return engine;
}

interface World {
  readonly clock: ManualClock;
  readonly fleet: FleetManager;
  readonly metrics: Metrics;
  readonly lines: string[];
}

function createWorld(policy: "least-in-flight" | "round-robin" = "least-in-flight"): World {
  const clock = createManualClock();
  const lines: string[] = [];
  const metrics = new Metrics();
  const log = createLogger({ format: "text", level: "debug", clock, writeLine: (line) => void lines.push(line) });
  const random = { uuid: () => "00000000-0000-4000-8000-000000000000", float: () => 0.5 };
  const config = { policy, startTimeout: 60, probeInterval: 2 };
  return { clock, lines, metrics, fleet: createFleet({ ports: { clock, random }, log, metrics, config }) };
}

const live = (): AbortSignal => new AbortController().signal;
const NOTHING: ReadonlySet<string> = new Set();
const wish = (wishes: Partial<LeaseWishes> = {}): LeaseWishes => ({
  model: undefined,
  waitMilliseconds: 0,
  exclude: NOTHING,
  signal: live(),
  ...wishes,
});

async function withReplicas(world: World, count: number): Promise<FakeEngine[]> {
  const engines = Array.from({ length: count }, () => createFakeEngine({}));
  for (const engine of engines) await world.fleet.addReplica(world.fleet.nextId("embedded"), engine, live());
  return engines;
}

async function refusal(promise: Promise<unknown>, code: string): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail("was not refused"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

async function takers(fleet: FleetManager, count: number, wishes: Partial<LeaseWishes> = {}): Promise<string[]> {
  const leases: Lease[] = [];
  for (let index = 0; index < count; index += 1) leases.push(await fleet.acquire(wish(wishes)));
  for (const lease of leases) lease.release("ok");
  return leases.map((lease) => lease.replica.id);
}

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
      models: ["tiny"],
      last_error: null,
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
