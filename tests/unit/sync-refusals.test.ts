/** Bad weights and impossible requests: refused by name, and nothing has changed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WeightVersion } from "../../src/contract/ids.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { GatewayError } from "../../src/errors.ts";
import { createSyncs } from "../../src/sync/syncs.ts";
import {
  createFakeEngine,
  createFakeFleet,
  createTestPorts,
  MODEL_B,
  silentLog,
  toSafetensors,
} from "./cases/sync-fakes.ts";
import { BY, code, forever, phase, request, setUp, untouched } from "./cases/sync-house.ts";

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

describe("a source over HTTP", () => {
  const over = async (make: (bytes: Uint8Array<ArrayBuffer>) => Response) => {
    const house = await setUp(1);
    const bytes = (await toSafetensors(MODEL_B)).slice();
    const ports = { ...createTestPorts(async () => make(bytes)), files: house.ports.files };
    const { syncs } = createSyncs({ fleet: house.fleet, ports, log: silentLog, spoolDir: "/spool" });
    const http = request({ source: { kind: "http", urls: ["https://user:pass@trainer/w?token=1"] } });
    return {
      dry: await syncs.dryRun(http, forever),
      error: await syncs.start(http, BY).catch((error) => error),
      house,
    };
  };

  test("what the header and the length tell is refused at once, in a dry run too", async () => {
    const cut = await over(
      (bytes) => new Response(bytes, { headers: { "content-length": String(bytes.byteLength - 4) } }),
    );
    assert.equal(cut.error.code, "weights_truncated");
    assert.equal(cut.error.details.tensor, "head");
    assert.equal(cut.dry.possible, false);
    assert.match(cut.dry.reasons[0] ?? "", /"head"/);
    untouched(cut.house);
  });

  test("redirects, encodings and errors are named without the credentials of the URL", async () => {
    const answers: [RegExp, (bytes: Uint8Array<ArrayBuffer>) => Response][] = [
      [/302.*Redirects/, () => new Response(null, { status: 302, headers: { location: "http://10.0.0.1/" } })],
      [/content-encoding "gzip"/, (bytes) => new Response(bytes, { headers: { "content-encoding": "gzip" } })],
      [/answered 503/, () => new Response("later", { status: 503 })],
    ];
    for (const [pattern, make] of answers) {
      const { error, dry } = await over(make);
      assert.equal(error.code, "source_unreadable");
      assert.match(error.message, pattern);
      assert.doesNotMatch(error.message, /pass|token/);
      assert.equal(dry.possible, false);
    }
  });

  test("a good one is possible", async () => {
    const { dry, error: sync } = await over((bytes) => new Response(bytes));
    assert.equal(dry.possible, true);
    assert.ok(dry.bytes_total !== null && dry.bytes_total > 0);
    assert.equal(sync.state, "running");
  });

  test("a header larger than the model can need is refused unread", async () => {
    const { error } = await over(() => {
      const first = new Uint8Array(8);
      new DataView(first.buffer).setBigUint64(0, 50_000_000n, true);
      return new Response(first);
    });
    assert.equal(error.code, "weights_malformed");
    assert.match(error.message, /50000000/);
  });
});
