/**
 * `kill -9` of the gateway in the middle of weight syncs, and a start with the same store: nothing that was confirmed is
 * lost, what was half done is shown as failed, and the servers that it touched get no request before they are refitted.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { WeightSync, WeightVersionRecord } from "../../src/contract/control/weight-syncs.ts";
import { startFakeRedis } from "../fakes/redis-server.ts";
import { listenAsTrainer } from "../fakes/vllm/tcp-peer.ts";
import type { FakeVllm } from "../fakes/vllm-server.ts";
import { ask, type Front, startFakes, startFront, startSync, writeCheckpoint } from "../support/durable.ts";
import { startRealRedis } from "../support/real-redis.ts";
import { broadcast, TENSORS, updateInfo } from "../support/trainer-rig.ts";
import { json, postJson } from "../system/serve.ts";
import { createDraw } from "../unit/cases/trainer-world.ts";

/** Kills per store; `npm run interop -- store` asks for more. */
const KILLS = Number(process.env.TIDEGATE_KILLS ?? 6);
const SEED = Number(process.env.TIDEGATE_SEED ?? 20_261_123);

const room = mkdtempSync(join(tmpdir(), "tidegate-kill-"));
after(() => rmSync(room, { recursive: true, force: true }));
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const fleetOf = async (front: Front): Promise<Fleet> => (await json<Fleet>(`${front.url}/api/fleet`)).body;
const completions = (fake: FakeVllm): number => fake.seen("/v1/completions").length;

/** What was confirmed to a client. */
interface Confirmed {
  /** Ids that were answered with 202 or 200. */
  readonly known: Set<string>;
  /** Ids that were answered as completed, with their versions. */
  readonly completed: Map<string, number>;
}

/** Does a trainer's whole update, as far as it gets. */
async function trainerUpdate(
  front: Front,
  step: number,
  confirmed: Confirmed,
  pause: () => Promise<void>,
): Promise<void> {
  const { body } = await json<{ world_size: number }>(`${front.url}/get_world_size`);
  const trainer = await listenAsTrainer(body.world_size + 1);
  try {
    const init = {
      master_address: "127.0.0.1",
      master_port: trainer.port,
      rank_offset: 1,
      world_size: body.world_size + 1,
    };
    const joined = await postJson(`${front.url}/init_weight_transfer_engine`, { init_info: init });
    assert.equal(joined.status, 200, JSON.stringify(joined.body));
    await pause();
    const started = await postJson(`${front.url}/start_weight_update`, {});
    assert.equal(started.status, 200, JSON.stringify(started.body));
    await pause();
    const updating = postJson(`${front.url}/update_weights`, { update_info: updateInfo() });
    broadcast(trainer, step, false);
    const updated = await updating;
    assert.equal(updated.status, 200, JSON.stringify(updated.body));
    await pause();
    const finished = await postJson<{ version: number; sync: string }>(`${front.url}/finish_weight_update`, {});
    assert.equal(finished.status, 200, JSON.stringify(finished.body));
    confirmed.completed.set(finished.body.sync, finished.body.version);
  } finally {
    await trainer.close();
  }
}

async function diskSync(front: Front, step: number, confirmed: Confirmed, wait: boolean): Promise<void> {
  const { status, body } = await startSync(front.url, writeCheckpoint(room, step), wait ? 20 : 0);
  assert.ok(status === 200 || status === 202, JSON.stringify(body));
  confirmed.known.add(body.id);
  if (status === 200) confirmed.completed.set(body.id, body.version);
}

/** Everything that must hold after a start; answers with the ids of fenced servers. */
async function judge(front: Front, fakes: readonly FakeVllm[], confirmed: Confirmed): Promise<readonly string[]> {
  const { body: list } = await json<{ weight_syncs: WeightSync[] }>(`${front.url}/api/weight-syncs?limit=1000`);
  const { body: versions } = await json<{ weight_versions: WeightVersionRecord[] }>(`${front.url}/api/weight-versions`);
  const fleet = await fleetOf(front);
  for (const id of [...confirmed.known, ...confirmed.completed.keys()]) {
    const found = list.weight_syncs.find((sync) => sync.id === id);
    assert.ok(found, `${id} was confirmed and is not listed`);
    const one = await json<WeightSync>(`${front.url}/api/weight-syncs/${id}`);
    assert.deepEqual(one.body, found);
  }
  for (const [id, version] of confirmed.completed) {
    const found = list.weight_syncs.find((sync) => sync.id === id);
    assert.equal(found?.state, "completed", `${id} was confirmed as completed`);
    assert.equal(found?.version, version);
    assert.ok(fleet.weight_version >= version, "a published version was lost");
    assert.ok(versions.weight_versions.some((one) => one.version === version && one.sync === id));
  }
  for (const sync of list.weight_syncs) {
    assert.notEqual(sync.state, "running", JSON.stringify(sync));
    if (sync.state !== "failed" || sync.error?.code !== "sync_failed") continue;
    assert.equal(sync.error.phase, sync.phase);
    assert.match(sync.error.message, /The gateway that ran it ended in phase \w+\./);
  }
  const before = fakes.map(completions);
  for (let count = 0; count < 6; count += 1) {
    const { status, version, body } = await ask(front.url);
    assert.ok(status === 200 || status === 503 || status === 504, JSON.stringify(body));
    if (status === 200) assert.equal(version, String(fleet.weight_version));
    else break;
  }
  const fenced: string[] = [];
  for (const [at, fake] of fakes.entries()) {
    const server = fleet.servers[at];
    if (server?.state === "ready") {
      assert.ok(!fake.state.deadly && !fake.state.dead, `${server.id} would die or is dead`);
      assert.equal(server.weight_version, fleet.weight_version, `${server.id} serves other weights`);
      const label = fleet.weight_version === 0 ? "default" : new RegExp(`^(tidegate-)?${fleet.weight_version}(-|$)`);
      if (typeof label === "string") assert.equal(fake.state.weightVersion, label);
      else assert.match(fake.state.weightVersion, label);
    } else {
      assert.equal(server?.state, "quarantined", JSON.stringify(server));
      assert.equal(completions(fake), before[at], "a fenced server got a request");
      fenced.push(server?.id ?? "");
    }
  }
  return fenced;
}

/** Refits what is fenced, or syncs all where nothing is kept to refit from. */
async function heal(front: Front, fenced: readonly string[], step: number, confirmed: Confirmed): Promise<void> {
  for (const id of fenced) {
    const { status, body } = await postJson<{ code: string }>(`${front.url}/api/servers/${id}/refit`, {});
    assert.ok(status === 200 || (status === 409 && body.code === "conflict"), JSON.stringify(body));
    if (status === 409) await diskSync(front, step, confirmed, true);
  }
  const fleet = await fleetOf(front);
  assert.equal(fleet.state, "ready", JSON.stringify(fleet.servers));
  for (let count = 0; count < 4; count += 1) {
    const { status, version, body } = await ask(front.url);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(version, String(fleet.weight_version));
  }
}

async function hunt(store: string, more: readonly string[], patience: number): Promise<void> {
  const draw = createDraw(SEED);
  const fakes = await startFakes(2);
  const upstreams = fakes.flatMap(({ url }) => ["--upstream", url]);
  const args = ["--store", store, ...upstreams, "--probe-interval", "0.1", ...more];
  const confirmed: Confirmed = { known: new Set(), completed: new Map() };
  let halfDone = 0;
  let front = await startFront(args);
  try {
    await diskSync(front, 0, confirmed, true);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const step = 10 * (kill + 1);
      const slow = { paths: ["/collective_rpc", "/pause", "/update_weight_version"], delayHeadMs: draw(25) };
      for (const fake of fakes) fake.state.setFaults(slow);
      const running = front;
      const pause = (): Promise<void> => sleep(draw(30));
      const work =
        draw(2) === 0
          ? diskSync(running, step, confirmed, draw(2) === 0)
          : trainerUpdate(running, step, confirmed, pause);
      const broken = work.catch(() => undefined);
      await sleep(draw(160));
      await running.end("SIGKILL");
      await broken;
      for (const fake of fakes) fake.state.setFaults({});
      front = await startFront(args);
      await sleep(patience);
      const fenced = await judge(front, fakes, confirmed);
      if (fenced.length > 0) halfDone += 1;
      await heal(front, fenced, step + 1, confirmed);
    }
    console.log(
      `${store.split(":")[0]}: ${KILLS} kills, seed ${SEED}, ${halfDone} with fenced servers, ${confirmed.completed.size} confirmed syncs`,
    );
    assert.ok(KILLS < 6 || halfDone > 0, "no kill met a sync in its middle");
  } finally {
    await front.end("SIGKILL");
    for (const fake of fakes) await fake.stop();
  }
}

describe("kill -9 of the gateway in mid-sync", () => {
  test("a trainer's partial update does not bring back a server whose complete one the dead gateway left half done", async () => {
    const fakes = await startFakes(1);
    const args = ["--store", `sqlite:${join(room, "partial.db")}`, "--upstream", fakes[0]?.url ?? ""];
    let front = await startFront(args);
    const update = async (tensors: readonly (typeof TENSORS)[number][], end: "finish" | "kill") => {
      const trainer = await listenAsTrainer(2);
      try {
        const init = { master_address: "127.0.0.1", master_port: trainer.port, rank_offset: 1, world_size: 2 };
        await postJson(`${front.url}/init_weight_transfer_engine`, { init_info: init });
        const started = await postJson(`${front.url}/start_weight_update`, {});
        assert.equal(started.status, 200, JSON.stringify(started.body));
        const updating = postJson(`${front.url}/update_weights`, { update_info: updateInfo(tensors) });
        broadcast(trainer, 7, false, tensors);
        const updated = await updating;
        assert.equal(updated.status, 200, JSON.stringify(updated.body));
        if (end === "finish") return await postJson(`${front.url}/finish_weight_update`, {});
        await front.end("SIGKILL");
        return updated;
      } finally {
        await trainer.close();
      }
    };
    const stateOf = async () => (await fleetOf(front)).servers[0];
    try {
      assert.equal((await update(TENSORS, "finish")).status, 200);
      await update(TENSORS, "kill");
      front = await startFront(args);
      assert.equal((await stateOf())?.state, "quarantined");
      const partial = await update(TENSORS.slice(0, 1), "finish");
      assert.ok(partial.status === 424 || partial.status === 409, JSON.stringify(partial.body));
      assert.match(JSON.stringify(partial.body), /left 4 tensors out/);
      assert.equal((await stateOf())?.state, "quarantined");
      assert.equal((await update(TENSORS, "finish")).status, 200);
      const healed = await stateOf();
      assert.equal(healed?.state, "ready", `${JSON.stringify(healed)} ${front.output()}`);
      assert.equal((await ask(front.url)).version, "2");
    } finally {
      await front.end("SIGKILL");
      for (const fake of fakes) await fake.stop();
    }
  });

  test("a gateway that dies before it has resumed what it published with: resumed at the start", async () => {
    const fakes = await startFakes(2);
    const upstreams = fakes.flatMap(({ url }) => ["--upstream", url]);
    const args = ["--store", `sqlite:${join(room, "paused.db")}`, ...upstreams];
    const confirmed: Confirmed = { known: new Set(), completed: new Map() };
    let front = await startFront(args);
    try {
      for (const { state } of fakes) state.setFaults({ paths: ["/resume"], hang: true });
      const broken = trainerUpdate(front, 7, confirmed, async () => undefined).catch(() => undefined);
      const end = Date.now() + 10_000;
      while ((await fleetOf(front)).weight_version === 0) assert.ok(Date.now() < end, front.output());
      await front.end("SIGKILL");
      await broken;
      assert.deepEqual(
        fakes.map(({ state }) => state.paused),
        [true, true],
      );
      for (const { state } of fakes) state.setFaults({});
      front = await startFront(args);
      const { servers, weight_version } = await fleetOf(front);
      assert.equal(weight_version, 1);
      assert.deepEqual(
        servers.map(({ state }) => state),
        ["ready", "ready"],
      );
      for (let count = 0; count < 4; count += 1) assert.equal((await ask(front.url)).version, "1", front.output());
    } finally {
      await front.end("SIGKILL");
      for (const fake of fakes) await fake.stop();
    }
  });

  test("sqlite", () => hunt(`sqlite:${join(room, "store.db")}`, [], 0));

  test("redis: the dead one's lease has to run out first", async () => {
    const store = (await startRealRedis()) ?? (await startFakeRedis());
    try {
      await hunt(`${store.url}?prefix=kill`, ["--store-lease", "2", "--spool-dir", join(room, "spool")], 2600);
    } finally {
      await ("stop" in store ? store.stop() : store.close());
    }
  });
});
