/** Whole syncs over fake engines: what is published, recorded, told, kept in the spool. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSyncs } from "../../src/sync/syncs.ts";
import {
  createTestPorts,
  digestOf,
  type FakeEngine,
  MODEL_A,
  MODEL_B,
  silentLog,
  toSafetensors,
} from "./cases/sync-fakes.ts";
import { BY, code, forever, phase, request, setUp, untouched } from "./cases/sync-house.ts";

describe("a sync", () => {
  test("switches every replica, publishes, records and can be refitted from", async () => {
    const house = await setUp(2);
    house.recordStart();
    const sync = await house.run({ label: "step 7" });
    assert.equal(sync.state, "completed");
    assert.equal(sync.phase, "done");
    assert.equal(sync.version, 1);
    const digest = await digestOf(MODEL_B);
    assert.equal(sync.digest, digest);
    assert.equal(sync.bytes_done, sync.bytes_total);
    assert.deepEqual(
      sync.servers.map(({ phase, digest: own }) => [phase, own]),
      [
        ["switched", digest],
        ["switched", digest],
      ],
    );
    untouched(house, MODEL_B, 1);
    assert.equal(house.fleet.gate.opened, 1);
    for (const replica of house.fleet.replicas()) assert.equal(replica.weightVersion, 1);
    const [newest, first] = house.versions.list({ limit: 10 });
    assert.equal(first?.created_by, "start");
    assert.deepEqual(
      { ...newest, created_at: "" },
      {
        version: 1,
        label: "step 7",
        digest,
        created_at: "",
        created_by: "trainer",
        source: "disk",
        sync: sync.id,
        servers: ["r-0", "r-1"],
      },
    );
    const current = house.currentWeights();
    assert.equal(current.version, 1);
    assert.equal(current.digest, digest);
    assert.deepEqual(
      current.sets.flatMap(({ files }) => files),
      house.spooled(),
    );
    assert.equal(house.ports.files.open(), 0);
  });

  test("the set of a superseded version leaves the spool; stop empties it", async () => {
    const house = await setUp(1);
    await house.run();
    const before = house.spooled();
    await house.run({ source: { kind: "disk", path: "/a" } });
    assert.equal(house.spooled().length, 1);
    assert.notDeepEqual(house.spooled(), before);
    await house.stop();
    assert.deepEqual(house.spooled(), []);
    assert.equal((await code(house.syncs.start(request(), BY))).code, "conflict");
  });

  test("partial sets stack on the newest complete one, and the whole digest is still expected", async () => {
    const house = await setUp(2);
    await house.run();
    house.ports.files.entries.set("/p.safetensors", await toSafetensors({ head: [0, 0, 1] }));
    for (const values of [
      [0, 0, 1],
      [0, 0, 2],
    ]) {
      house.ports.files.entries.set("/p.safetensors", await toSafetensors({ head: values }));
      const sync = await house.run({ source: { kind: "disk", path: "/p.safetensors" }, partial: true });
      assert.equal(sync.digest, await digestOf({ ...MODEL_B, head: values }));
    }
    const { sets } = house.currentWeights();
    assert.deepEqual(
      sets.map(({ partial }) => partial),
      [false, true],
      "the first partial set is covered by the second",
    );
    assert.equal(house.spooled().length, 2);
    assert.equal(
      (await code(house.syncs.start(request({ source: { kind: "disk", path: "/p.safetensors" } }), BY))).code,
      "weights_missing_tensor",
    );
  });

  test("an upload is received before start answers, in pieces of any size", async () => {
    const house = await setUp(2);
    const bytes = await toSafetensors(MODEL_B);
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        for (let at = 0; at < bytes.byteLength; at += 3) controller.enqueue(bytes.slice(at, at + 3));
        controller.close();
      },
    });
    const sync = await house.syncs.start(request({ source: { kind: "upload" } }), BY, body);
    assert.notEqual(sync.phase, "receive");
    assert.equal((await house.syncs.wait(sync.id, 30_000, forever)).state, "completed");
    assert.deepEqual(
      house.ports.files.entries.get(house.spooled()[0]!),
      bytes,
      "the spool holds the bytes as they came",
    );
  });

  test("over HTTP: several URLs are shards, and a wrong hash is refused", async () => {
    const shards = [await toSafetensors({ embed: MODEL_B.embed! }), await toSafetensors({ head: MODEL_B.head! })];
    const house = await setUp(1);
    const ports = createTestPorts(async (url) => {
      const at = Number(new URL(url).pathname.slice(1));
      return at < 2 ? new Response(shards[at]!.slice()) : new Response("no", { status: 404 });
    });
    const syncs = createSyncs({
      fleet: house.fleet,
      ports: { ...ports, files: house.ports.files },
      log: silentLog,
      spoolDir: "/spool",
    });
    const urls = ["http://trainer/0?secret=1", "http://trainer/1"];
    const bad = await syncs.syncs.start(
      request({ source: { kind: "http", urls, sha256: ["0".repeat(64), "0".repeat(64)] } }),
      BY,
    );
    const failed = await syncs.syncs.wait(bad.id, 30_000, forever);
    assert.equal(failed.error?.code, "weights_digest_mismatch");
    assert.ok(!failed.error?.message.includes("secret"));
    untouched(house);
    const missing = await code(
      syncs.syncs.start(request({ source: { kind: "http", urls: ["http://trainer/7"] } }), BY),
    );
    assert.equal(missing.code, "source_unreadable");
    const { id } = await syncs.syncs.start(request({ source: { kind: "http", urls } }), BY);
    assert.equal((await syncs.syncs.wait(id, 30_000, forever)).state, "completed");
    assert.deepEqual(house.engines[0]?.serving, MODEL_B);
  });

  test("events: the present, every phase, the end", async () => {
    const house = await setUp(1);
    const { id } = await house.syncs.start(request(), BY);
    const phases: string[] = [];
    for await (const event of house.syncs.events(id, forever)) {
      assert.equal(event.type, "sync");
      if (event.type === "sync") phases.push(`${event.sync.state} ${event.sync.phase}`);
    }
    assert.equal(phases.at(-1), "completed done");
    assert.ok(phases.includes("running stage"));
    const again = await Array.fromAsync(house.syncs.events(id, forever));
    assert.equal(again.length, 1);
  });
});

describe("modes", () => {
  test("wait lets leases end, keep does not, abort pauses and resumes", async () => {
    const house = await setUp(1);
    const [engine] = house.engines as [FakeEngine];
    house.fleet.setInFlight("r-0", 1);
    const { id } = await house.syncs.start(request({ mode: "wait" }), BY);
    await phase(house, id, "drain");
    assert.deepEqual(engine.serving, MODEL_A);
    house.fleet.setInFlight("r-0", 0);
    assert.equal((await house.syncs.wait(id, 30_000, forever)).state, "completed");
    house.fleet.setInFlight("r-0", 1);
    assert.equal((await house.run({ mode: "keep" })).state, "completed");
    assert.equal((await house.run({ mode: "abort" })).state, "completed");
    assert.deepEqual(engine.calls, [
      "stage",
      "commit wait",
      "stage",
      "commit keep",
      "stage",
      "pause abort",
      "commit abort",
      "resume",
    ]);
  });

  test("an engine that its user paused stays paused, and its frozen requests do not hold the sync", async () => {
    const house = await setUp(1);
    const [engine] = house.engines as [FakeEngine];
    engine.paused = true;
    house.fleet.setInFlight("r-0", 1);
    assert.equal((await house.run({ mode: "wait" })).state, "completed");
    assert.deepEqual(engine.calls, ["stage", "commit keep"]);
    assert.equal(engine.paused, true);
  });
});
