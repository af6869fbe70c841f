/** Whole syncs over fake engines: what is published, what is left untouched, what is told to whom. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StartSync, type WeightSync } from "../../src/contract/control/weight-syncs.ts";
import type { WeightVersion } from "../../src/contract/ids.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import { createSyncs } from "../../src/sync/syncs.ts";
import {
  createFakeEngine,
  createFakeFleet,
  createTestPorts,
  digestOf,
  type FakeEngine,
  MODEL_A,
  MODEL_B,
  silentLog,
  type TinyModel,
  toSafetensors,
} from "./cases/sync-fakes.ts";

const BY = { actor: "trainer", requestId: "req-1" };
const forever = new AbortController().signal;
const request = (fields: object = {}): StartSync =>
  StartSync.parse({ source: { kind: "disk", path: "/b" }, deadline_s: 20, ...fields });

async function setUp(replicas = 2, onChange?: (sync: WeightSync) => void) {
  const ports = createTestPorts();
  ports.files.entries.set("/b/model.safetensors", await toSafetensors(MODEL_B));
  ports.files.entries.set("/a/model.safetensors", await toSafetensors(MODEL_A));
  const engines = Array.from({ length: replicas }, () => createFakeEngine(ports.files));
  const fleet = createFakeFleet(engines, await digestOf(MODEL_A));
  const syncs = createSyncs({
    fleet,
    ports,
    log: silentLog,
    spoolDir: "/spool",
    ...(onChange === undefined ? {} : { onChange: (sync) => onChange(sync) }),
  });
  const spooled = () => [...ports.files.entries.keys()].filter((path) => path.startsWith("/spool/"));
  const run = async (fields: object = {}): Promise<WeightSync> => {
    const { id } = await syncs.syncs.start(request(fields), BY);
    return syncs.syncs.wait(id, 30_000, forever);
  };
  return { ports, engines, fleet, ...syncs, spooled, run };
}
type SetUp = Awaited<ReturnType<typeof setUp>>;

function untouched({ fleet, engines, spooled, active }: SetUp, model: TinyModel = MODEL_A, version = 0): void {
  assert.equal(fleet.published().version, version);
  for (const engine of engines) {
    assert.deepEqual(engine.serving, model);
    assert.equal(engine.staged.size, 0);
    assert.equal(engine.paused, false);
  }
  assert.equal(fleet.gate.closers, 0);
  assert.equal(active(), null);
  if (version === 0) assert.deepEqual(spooled(), []);
}

const code = async (promise: Promise<unknown>): Promise<GatewayError> => {
  const error = await promise.then(
    () => assert.fail("it was accepted"),
    (reason) => reason,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return error;
};

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

describe("bad weights are refused and change nothing", () => {
  const cases: [name: string, make: () => Promise<Uint8Array>, code: string, tensor?: string][] = [
    ["missing", () => toSafetensors({ embed: MODEL_B.embed! }), "weights_missing_tensor", "head"],
    ["extra", () => toSafetensors({ ...MODEL_B, ghost: [1] }), "weights_unexpected_tensor", "ghost"],
    [
      "shape",
      () => toSafetensors({ embed: [1, 2, 3, 4], head: [1, 2] }, "F32", { head: [2] }),
      "weights_shape_mismatch",
      "head",
    ],
    ["dtype", () => toSafetensors({ embed: [1, 2, 3, 4], head: [1, 2, 3] }, "BF16"), "weights_dtype_mismatch", "embed"],
    ["nan", () => toSafetensors({ ...MODEL_B, head: [1, Number.NaN, 2] }), "weights_non_finite", "head"],
    [
      "infinity",
      () => toSafetensors({ ...MODEL_B, embed: [1, 2, 3, Number.NEGATIVE_INFINITY] }),
      "weights_non_finite",
      "embed",
    ],
    ["truncated", async () => (await toSafetensors(MODEL_B)).slice(0, -5), "weights_truncated", "head"],
    ["trailing", async () => new Uint8Array([...(await toSafetensors(MODEL_B)), 0]), "weights_malformed", "head"],
    ["empty", async () => new Uint8Array(0), "weights_truncated"],
  ];
  for (const [name, make, expected, tensor] of cases) {
    test(`${name}: from disk and as an upload`, async () => {
      const house = await setUp(2);
      const bytes = await make();
      house.ports.files.entries.set("/bad.safetensors", bytes);
      const refusedAtOnce = await house.syncs
        .start(request({ source: { kind: "disk", path: "/bad.safetensors" } }), BY)
        .then(
          async ({ id }) => (await house.syncs.wait(id, 30_000, forever)).error,
          (error: GatewayError) => ({ code: error.code, tensor: error.details.tensor }),
        );
      assert.equal(refusedAtOnce?.code, expected);
      assert.equal(refusedAtOnce?.tensor, tensor);
      untouched(house);

      const error = await code(
        house.syncs.start(
          request({ source: { kind: "upload" } }),
          BY,
          new Response(bytes.slice()).body ?? new ReadableStream(),
        ),
      );
      assert.equal(error.code, expected);
      assert.equal(error.details.tensor, tensor);
      if (tensor !== undefined) assert.match(error.message, new RegExp(`"${tensor}"|last tensor`));
      untouched(house);
      assert.equal((await house.run()).state, "completed", "the next good one goes through");
    });
  }

  test("an upload that breaks off", async () => {
    const house = await setUp(1);
    const bytes = await toSafetensors(MODEL_B);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (bytes.byteLength > 0) controller.enqueue(bytes.slice(0, -1));
        controller.error(new Error("connection reset"));
      },
    });
    assert.equal(
      (await code(house.syncs.start(request({ source: { kind: "upload" } }), BY, body))).code,
      "source_unreadable",
    );
    untouched(house);
  });
});

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
    const sync = await house.run({ deadline_s: 0.05 });
    assert.equal(sync.error?.code, "deadline_exceeded");
    assert.equal(sync.error?.phase, "stage");
    untouched(house);
  });

  test("requests that never end hold the drain until the deadline", async () => {
    const house = await setUp(2);
    house.fleet.setInFlight("r-1", 1);
    const sync = await house.run({ deadline_s: 0.05 });
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

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setTimeout(resolve, 1));
}
async function phase(house: SetUp, id: string, wanted: string): Promise<void> {
  await until(() => house.syncs.get(id)?.phase === wanted);
}

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

describe("refused before anything starts", () => {
  test("versions only grow", async () => {
    const house = await setUp(1);
    assert.equal((await house.run({ version: 41 })).version, 41);
    const error = await code(house.syncs.start(request({ version: 41 }), BY));
    assert.equal(error.code, "conflict");
    assert.match(error.message, /41.*41/);
    assert.equal((await house.run()).version, 42);
  });

  test("one at a time, named; abort makes room", async () => {
    const house = await setUp(1);
    house.engines[0]!.faults.add("stage-hang");
    const { id } = await house.syncs.start(request(), BY);
    const error = await code(house.syncs.start(request(), BY));
    assert.equal(error.code, "sync_in_progress");
    assert.ok(error.message.includes(id));
    const dry = await house.syncs.dryRun(request(), forever);
    assert.equal(dry.possible, false);
    const aborted = await house.syncs.abort(id);
    assert.equal(aborted.state, "aborted");
    untouched(house);
    assert.equal((await code(house.syncs.abort(id))).code, "conflict");
    house.engines[0]!.faults.clear();
    assert.equal((await house.run()).state, "completed");
  });

  test("no abort once the switch has begun", async () => {
    const house = await setUp(2);
    house.engines[1]!.faults.add("commit-hang");
    const { id } = await house.syncs.start(request({ deadline_s: 0.3 }), BY);
    await phase(house, id, "switch");
    assert.equal((await code(house.syncs.abort(id))).code, "conflict");
    assert.equal(house.currentWeights().version, 1, "a worker that restarts now loads the new weights");
    assert.equal((await house.syncs.wait(id, 30_000, forever)).state, "completed");
  });

  test("idempotency key: same request, same sync; other request, 409; a refused one may be tried again", async () => {
    const house = await setUp(1);
    const by = { ...BY, idempotencyKey: "k" };
    const bad = request({ source: { kind: "disk", path: "/nowhere" } });
    assert.equal((await code(house.syncs.start(bad, by))).code, "source_unreadable");
    const [one, two] = await Promise.all([house.syncs.start(request(), by), house.syncs.start(request(), by)]);
    assert.equal(one.id, two.id);
    assert.equal((await code(house.syncs.start(request({ label: "other" }), by))).code, "idempotency_conflict");
    await house.syncs.wait(one.id, 30_000, forever);
    assert.equal((await house.syncs.start(request(), by)).id, one.id);
    assert.equal(house.fleet.published().version, 1);
    assert.notEqual((await house.syncs.start(request(), { ...by, actor: "somebody else" })).id, one.id);
    await house.stop();
  });

  test("replicas that cannot take weights are named; NCCL is refused", async () => {
    const house = await setUp(1);
    const nccl = { source: { kind: "nccl", master_address: "10.0.0.1", master_port: 29500 } };
    assert.equal((await code(house.syncs.start(request(nccl), BY))).code, "unsupported");
    const { weights: _, ...upstream } = createFakeEngine(house.ports.files);
    const fleet = createFakeFleet([house.engines[0]!, { ...upstream, kind: "vllm" } as Engine]);
    const syncs = createSyncs({ fleet, ports: house.ports, log: silentLog, spoolDir: "/spool" });
    const error = await code(syncs.syncs.start(request(), BY));
    assert.equal(error.code, "unsupported");
    assert.match(error.message, /r-1/);
    const dry = await syncs.syncs.dryRun(request(), forever);
    assert.deepEqual(
      dry.servers.map(({ possible }) => possible),
      [true, false],
    );
  });

  test("a source that is not there, a page that is not there, a sync that is not there", async () => {
    const house = await setUp(1);
    assert.equal(
      (await code(house.syncs.start(request({ source: { kind: "disk", path: "/x" } }), BY))).code,
      "source_unreadable",
    );
    assert.deepEqual(house.syncs.list({ limit: 10 }), []);
    assert.throws(() => house.syncs.list({ limit: 1, after: "ws_x" }), { code: "invalid_value" });
    assert.throws(() => house.syncs.events("ws_x", forever), { code: "not_found" });
    const dry = await house.syncs.dryRun(request(), forever);
    assert.equal(dry.possible, true);
    assert.equal(dry.bytes_total, house.ports.files.entries.get("/b/model.safetensors")?.byteLength);
    assert.equal(house.versions.get(7 as WeightVersion), undefined);
  });
});
