/** Replicas that fail during a sync: before the switch nobody changes, after it nobody is quietly resumed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODEL_B } from "./cases/sync-fakes.ts";
import { BY, forever, phase, request, setUp, until, untouched } from "./cases/sync-house.ts";

describe("replicas that fail", () => {
  const before = ["stage-error", "stage-wrong-digest", "pause-error"] as const;
  for (const fault of before) {
    test(`${fault}: before the switch nobody changes`, async () => {
      const house = await setUp(3);
      house.engines[1]!.faults.add(fault);
      const sync = await house.run({ mode: "abort" });
      assert.equal(sync.state, "failed");
      assert.equal(sync.error?.replica, "r-1");
      assert.deepEqual(
        sync.servers.map(({ phase }) => phase),
        ["discarded", "discarded", "discarded"],
      );
      untouched(house);
      house.engines[1]!.faults.clear();
      assert.equal((await house.run()).state, "completed");
    });
  }

  test("a replica that dies after staging fails the sync", async () => {
    const house = await setUp(2);
    house.fleet.setInFlight("r-0", 1);
    const { id } = await house.syncs.start(request(), BY);
    await phase(house, id, "drain");
    house.engines[1]!.notify({ type: "down", reason: "killed", recovering: true });
    const sync = await house.syncs.wait(id, 30_000, forever);
    assert.equal(sync.error?.code, "replica_failed");
    assert.equal(sync.error?.replica, "r-1");
    untouched(house);
  });

  test("stage that hangs past the deadline", async () => {
    const house = await setUp(2);
    house.engines[0]!.faults.add("stage-hang");
    const sync = await house.run({ deadline_s: 0.1 });
    assert.equal(sync.error?.code, "deadline_exceeded");
    assert.equal(sync.error?.phase, "stage");
    untouched(house);
  });

  test("requests that never end hold the drain until the deadline", async () => {
    const house = await setUp(2);
    house.fleet.setInFlight("r-1", 1);
    const sync = await house.run({ deadline_s: 0.1 });
    assert.equal(sync.error?.code, "deadline_exceeded");
    assert.equal(sync.error?.phase, "drain");
    assert.equal(house.fleet.gate.opened, 1);
    untouched(house);
  });

  for (const fault of ["commit-error", "commit-hang"] as const) {
    test(`${fault}: that replica is fenced, the others are published; a restart brings it back`, async () => {
      const house = await setUp(3);
      house.engines[1]!.faults.add(fault);
      const sync = await house.run({ deadline_s: fault === "commit-hang" ? 0.1 : 20 });
      assert.equal(sync.state, "completed");
      assert.deepEqual(
        sync.servers.map((server) => server.phase),
        ["switched", "fenced", "switched"],
      );
      assert.equal(sync.error?.replica, "r-1");
      assert.equal(house.fleet.replica("r-1")?.state, "quarantined");
      assert.equal(house.fleet.published().version, 1);
      assert.deepEqual(house.versions.get(1)?.servers, ["r-0", "r-2"]);
      assert.equal(house.fleet.gate.closers, 0);
      const next = await house.run({ source: { kind: "disk", path: "/a" } });
      assert.equal(next.servers.find(({ id }) => id === "r-1")?.phase, "left_out");

      const { version, digest } = house.currentWeights();
      house.engines[1]!.notify({ type: "up", info: house.engines[1]!.info(version, digest) });
      assert.equal(house.fleet.replica("r-1")?.state, "ready");
      assert.equal(house.fleet.replica("r-1")?.weightVersion, 2);
    });
  }

  test("when every replica fails at the switch, nothing is published and the spool is empty", async () => {
    const house = await setUp(2);
    for (const engine of house.engines) engine.faults.add("commit-error");
    const sync = await house.run();
    assert.equal(sync.state, "failed");
    assert.equal(sync.phase, "switch");
    assert.equal(house.fleet.published().version, 0);
    assert.equal(house.currentWeights().version, 0);
    assert.deepEqual(house.spooled(), []);
    assert.equal(house.fleet.gate.closers, 0);
  });

  test("a replica that comes up with older weights catches up before it serves", async () => {
    const house = await setUp(2);
    const late = house.fleet.replica("r-1")!;
    house.fleet.setState(late.id, "unreachable", "restarting");
    const sync = await house.run();
    assert.deepEqual(
      sync.servers.map(({ phase }) => phase),
      ["switched", "left_out"],
    );
    house.fleet.setState(late.id, "ready", null);
    await until(() => late.weightVersion === 1 && late.state === "ready");
    assert.deepEqual(house.engines[1]?.serving, MODEL_B);
  });
});

describe("a fenced replica put back by hand", () => {
  test("loads the published weights first, and serves only when they are proven", async () => {
    const house = await setUp(2);
    house.engines[1]!.faults.add("commit-error");
    await house.run();
    const fenced = house.fleet.replica("r-1")!;
    assert.equal(fenced.weightVersion, null, "what it has is unknown");
    house.engines[1]!.faults.clear();
    house.engines[1]!.faults.add("stage-wrong-digest");
    house.fleet.setState(fenced.id, "ready", null);
    await until(() => fenced.state === "quarantined");
    assert.match(fenced.lastError ?? "", /digest/);
    assert.equal(fenced.weightVersion, null);
    house.engines[1]!.faults.clear();
    house.fleet.setState(fenced.id, "ready", null);
    await until(() => fenced.state === "ready" && fenced.weightVersion === 1);
    assert.deepEqual(house.engines[1]!.serving, MODEL_B);
  });

  test("stays out when there is nothing to prove it with", async () => {
    const house = await setUp(1);
    house.engines[0]!.faults.add("commit-error");
    await house.run();
    const fenced = house.fleet.replica("r-0")!;
    house.fleet.setState(fenced.id, "ready", null);
    assert.equal(fenced.state, "quarantined");
    house.engines[0]!.notify({ type: "up", info: house.engines[0]!.info(0, house.fleet.published().digest) });
    assert.equal(fenced.state, "ready");
    assert.equal(fenced.weightVersion, 0);
  });
});
