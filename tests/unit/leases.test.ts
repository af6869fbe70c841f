import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CreateLease } from "../../src/contract/control/generation-leases.ts";
import type { GatewayError } from "../../src/errors.ts";
import { settle } from "../support/manual-clock.ts";
import { id, live, refusal } from "./cases/fleet-rig.ts";
import { createRig, killWorker, type Rig } from "./cases/residency-rig.ts";

const BY = { actor: "trainer" };
const request = (over: object = {}) => CreateLease.parse(over);
const create = (rig: Rig, over: object = {}, signal = live()) => rig.leases.api.create(request(over), BY, signal);
const all = (rig: Rig) => rig.engines.map(({ residency }) => [...residency.gathered].join(","));
const EVERYTHING = "embed,layers.0,layers.1";

describe("a generation lease", () => {
  test("gathers on every replica, and gives back", async () => {
    const rig = await createRig({ replicas: 2 });
    const before = rig.engines.map(({ residency }) => residency.tiers());
    const lease = await create(rig);
    assert.deepEqual(all(rig), [EVERYTHING, EVERYTHING]);
    assert.deepEqual(lease.servers, ["embedded-0", "embedded-1"]);
    assert.equal(lease.model, "tiny");
    const ended = await rig.leases.api.release(lease.id, live());
    assert.equal(ended.state, "released");
    assert.deepEqual(
      rig.engines.map(({ residency }) => residency.tiers()),
      before,
    );
    // Again: nothing happens, and it stays as it ended.
    assert.equal((await rig.leases.api.release(lease.id, live())).ended_at, ended.ended_at);
  });

  test("leases are counted: nested and concurrent ones share, the last one gives back", async () => {
    const rig = await createRig();
    const [some, whole] = await Promise.all([create(rig, { gather: ["layers.0"] }), create(rig)]);
    const nested = await create(rig, { parent: whole.id, gather: ["layers.1"] });
    assert.deepEqual(all(rig), [EVERYTHING]);
    await rig.leases.api.release(whole.id, live());
    assert.deepEqual(all(rig), ["layers.0,layers.1"]);
    await rig.leases.api.release(nested.id, live());
    assert.deepEqual(all(rig), ["layers.0"]);
    await rig.leases.api.release(some.id, live());
    assert.deepEqual(all(rig), [""]);
  });

  test("gather false gathers nothing and is a lease all the same", async () => {
    const rig = await createRig();
    const lease = await create(rig, { gather: false });
    assert.deepEqual(all(rig), [""]);
    assert.equal(lease.state, "active");
    assert.deepEqual(rig.engines[0]?.residency.calls, []);
  });

  test("expires when nobody renews it", async () => {
    const rig = await createRig();
    const lease = await create(rig, { ttl_s: 10 });
    await rig.world.clock.advance(9000);
    const renewed = rig.leases.api.renew(lease.id, 20);
    assert.equal(Date.parse(renewed.expires_at), 29_000);
    await rig.world.clock.advance(19_000);
    assert.deepEqual(all(rig), [EVERYTHING]);
    await rig.world.clock.advance(1001);
    assert.deepEqual(all(rig), [""]);
    assert.equal(rig.leases.api.get(lease.id).state, "expired");
    assert.throws(() => rig.leases.api.renew(lease.id, 5), /has ended: expired \(not renewed for 20 s\)/);
  });

  test("one that cannot fit says how much is missing, and nothing has changed", async () => {
    const rig = await createRig({ replicas: 2 });
    const held = await create(rig, { gather: ["layers.0"] });
    rig.engines[1]!.residency.limit = 1500;
    const before = all(rig);
    const error: GatewayError = await refusal(create(rig), "insufficient_memory");
    assert.equal(error.status, 409);
    assert.equal(error.details.missingBytes, 900);
    assert.match(error.message, /embedded-1: 900 bytes are missing/);
    await settle();
    assert.deepEqual(all(rig), before);
    assert.equal((await create(rig, { gather: ["embed"] })).state, "active");
    assert.equal(rig.leases.api.get(held.id).state, "active");
  });

  test("a model that is unknown, starting, asleep or detached is refused", async () => {
    const rig = await createRig();
    await refusal(create(rig, { model: "other" }), "model_not_found");
    await refusal(create(rig, { parent: "gl_0" }), "invalid_value");
    const engine = rig.engines[0]!;
    Object.assign(engine, { control: { isSleeping: async () => true } });
    assert.match((await refusal(create(rig), "conflict")).message, /embedded-0 is asleep/);
    Object.assign(engine, { control: undefined });
    engine.notify({ type: "down", reason: "gone", recovering: true });
    assert.match((await refusal(create(rig), "conflict")).message, /embedded-0 is starting \(gone\)/);
    await rig.world.fleet.removeReplica(id("embedded-0"), live());
    await refusal(create(rig), "conflict");
  });

  test("ends when its worker dies; a new one is granted on the new worker", async () => {
    const rig = await createRig();
    const lease = await create(rig);
    killWorker(rig.engines[0]!);
    await settle();
    const { state, reason } = rig.leases.api.get(lease.id);
    assert.deepEqual([state, reason], ["lost", "embedded-0: killed by SIGKILL"]);
    assert.deepEqual(all(rig), [""]);
    const next = await create(rig);
    assert.deepEqual(all(rig), [EVERYTHING]);
    await rig.leases.api.release(next.id, live());
  });

  test("lives on with one replica of two", async () => {
    const rig = await createRig({ replicas: 2 });
    const lease = await create(rig);
    killWorker(rig.engines[0]!);
    await settle();
    assert.deepEqual(rig.leases.api.get(lease.id).servers, ["embedded-1"]);
    await rig.leases.api.release(lease.id, live());
    assert.deepEqual(all(rig), ["", ""]);
  });

  test("a caller who leaves while it is gathered leaves nothing behind", async () => {
    const rig = await createRig();
    const stop = new AbortController();
    const gate = Promise.withResolvers<void>();
    rig.engines[0]!.residency.delay = () => gate.promise;
    const asked = create(rig, {}, stop.signal);
    await settle();
    stop.abort(new Error("left"));
    await assert.rejects(asked, /left/);
    rig.engines[0]!.residency.delay = () => Promise.resolve();
    gate.resolve();
    await settle();
    assert.deepEqual(all(rig), [""]);
  });

  test("what cannot be given back is tried again until it is", async () => {
    const rig = await createRig();
    const lease = await create(rig);
    rig.engines[0]!.residency.failRelease = 2;
    const ended = rig.leases.api.release(lease.id, live());
    await settle();
    assert.equal(rig.leases.api.get(lease.id).state, "active", "not before it is true");
    await rig.world.clock.advance(2000);
    assert.equal((await ended).state, "released");
    assert.deepEqual(all(rig), [""]);
    assert.ok(rig.lines.some((line) => line.includes("could not be given back")));
  });

  test("a held-open one ends with its connection, and tells its holder when it ends otherwise", async () => {
    const rig = await createRig();
    const connection = new AbortController();
    const lease = await create(rig);
    const events = rig.leases.api.follow(lease.id, connection.signal)[Symbol.asyncIterator]();
    assert.equal((await events.next()).value.lease.state, "active");
    connection.abort();
    await settle();
    assert.deepEqual(all(rig), [""]);
    assert.equal(rig.leases.api.get(lease.id).reason, "its connection ended");

    const other = await create(rig);
    const feed = rig.leases.api.follow(other.id, live())[Symbol.asyncIterator]();
    await feed.next();
    killWorker(rig.engines[0]!);
    assert.equal((await feed.next()).value.lease.state, "lost");
    assert.equal((await feed.next()).done, true);
  });

  test("one whose connection ended before anybody read is released too", async () => {
    const rig = await createRig();
    const connection = new AbortController();
    rig.leases.api.follow((await create(rig)).id, connection.signal);
    connection.abort();
    await settle();
    assert.deepEqual(all(rig), [""]);
  });

  test("the end of the process ends them", async () => {
    const rig = await createRig();
    await create(rig);
    await rig.leases.stop();
    assert.deepEqual(all(rig), [""]);
    await refusal(create(rig), "draining");
  });

  test("are listed, newest first", async () => {
    const rig = await createRig();
    const made = [await create(rig), await create(rig), await create(rig)].map((lease) => lease.id).reverse();
    const ids = (page: { limit: number; after?: string }) => rig.leases.api.list(page).map((lease) => lease.id);
    assert.deepEqual(ids({ limit: 10 }), made);
    assert.deepEqual(ids({ limit: 1, after: made[0]! }), [made[1]]);
  });
});

describe("weight syncs and leases", () => {
  const close = (rig: Rig, mode: "wait" | "abort" | "keep", signal = live()) =>
    rig.leases.barrier.close([id("embedded-0")], mode, "weight sync ws_1", signal);
  const state = async (promise: Promise<unknown>): Promise<string> => {
    await settle();
    return Promise.race([
      promise.then(
        () => "done",
        () => "failed",
      ),
      settle().then(() => "waits"),
    ]);
  };

  test("wait: until the last lease is given back; new ones wait, nested ones do not", async () => {
    const rig = await createRig();
    const lease = await create(rig);
    const closing = close(rig, "wait");
    assert.equal(await state(closing), "waits");
    const nested = await create(rig, { parent: lease.id });
    const later = create(rig);
    assert.equal(await state(later), "waits");
    await rig.leases.api.release(lease.id, live());
    assert.equal(await state(closing), "waits");
    await rig.leases.api.release(nested.id, live());
    const open = await closing;
    assert.deepEqual(all(rig), [""]);
    assert.equal(await state(later), "waits");
    open();
    assert.equal((await later).state, "active");
  });

  test("a new one waits no longer than wait_s", async () => {
    const rig = await createRig();
    await close(rig, "wait");
    const late = create(rig, { wait_s: 3 });
    late.catch(() => undefined);
    await rig.world.clock.advance(3001);
    await refusal(late, "sync_in_progress");
  });

  test("abort: revokes them", async () => {
    const rig = await createRig();
    const lease = await create(rig);
    const open = await close(rig, "abort");
    assert.deepEqual(all(rig), [""]);
    const { state: ended, reason } = rig.leases.api.get(lease.id);
    assert.deepEqual([ended, reason], ["revoked", "weight sync ws_1"]);
    open();
  });

  test("abort: also one that is only being gathered", async () => {
    const rig = await createRig();
    const gate = Promise.withResolvers<void>();
    rig.engines[0]!.residency.delay = () => gate.promise;
    const asked = create(rig);
    asked.catch(() => undefined);
    await settle();
    const closing = close(rig, "abort");
    rig.engines[0]!.residency.delay = () => Promise.resolve();
    gate.resolve();
    await refusal(asked, "sync_in_progress");
    await closing;
    assert.deepEqual(all(rig), [""]);
  });

  test("keep: they stay, and are brought in again afterwards", async () => {
    const rig = await createRig();
    await create(rig);
    const open = await close(rig, "keep");
    const { residency } = rig.engines[0]!;
    const before = residency.calls.length;
    open();
    await settle();
    assert.deepEqual(residency.calls.slice(before), ["gather"]);
    assert.deepEqual(all(rig), [EVERYTHING]);
  });

  test("a sync that gives up waiting leaves the way open", async () => {
    const rig = await createRig();
    await create(rig);
    const stop = new AbortController();
    const closing = close(rig, "wait", stop.signal);
    stop.abort(new Error("deadline"));
    await assert.rejects(closing, /deadline/);
    assert.equal((await create(rig)).state, "active");
  });
});

describe("the residency of a model", () => {
  test("is read and changed, and what is held stays held", async () => {
    const rig = await createRig();
    const lease = await create(rig);
    const put = await rig.residencies.put("tiny", { groups: { "layers.1": "disk" } }, live());
    assert.equal(put.servers[0]?.residency.gathered, 1);
    await rig.leases.api.release(lease.id, live());
    const { servers } = await rig.residencies.get("tiny", live());
    assert.deepEqual(servers[0]?.residency.bytes, { device: 0, cpu: 1440, disk: 1000 });
    await refusal(rig.residencies.get("other", live()), "model_not_found");
  });

  test("on all replicas or on none", async () => {
    const rig = await createRig({ replicas: 2 });
    await rig.residencies.put("tiny", { groups: { "layers.0": "disk" } }, live());
    const before = rig.engines.map(({ residency }) => residency.tiers());
    const second = rig.engines[1]!.residency;
    const { apply } = second;
    second.apply = async (directive, options) => {
      second.apply = apply;
      return apply.call(second, { ...directive, maxInCpuBytes: 1 }, options);
    };
    const error = await refusal(rig.residencies.put("tiny", { groups: { embed: "disk" } }, live()), "limit_exceeded");
    assert.equal(error.details.missingBytes, 999);
    assert.deepEqual(
      rig.engines.map(({ residency }) => residency.tiers()),
      before,
    );
  });
});
