/**
 * Two gateways over one store, in front of the same servers: one weight sync at a time over both, versions and fences that
 * both follow, an owner that dies, a store that stands still, dies and forgets. A real Redis or Valkey where there is
 * one, else the fake. `npm run interop -- store` runs more rounds, and only with a real one.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import { listenAsTrainer } from "../fakes/vllm/tcp-peer.ts";
import { type FakeWeights, startFakeWeights } from "../fakes/vllm-weights.ts";
import { ask, type Front, startFront, startSync, writeCheckpoint } from "../support/durable.ts";
import { type StoppableStore, startStore } from "../support/stoppable-store.ts";
import { startTraffic, type Traffic } from "../support/traffic.ts";
import { broadcast, updateInfo } from "../support/trainer-rig.ts";
import { json, postJson } from "../system/serve.ts";
import { createDraw } from "../unit/cases/trainer-world.ts";

const ROUNDS = Number(process.env.TIDEGATE_ROUNDS ?? 2);
const SEED = Number(process.env.TIDEGATE_SEED ?? 20_261_123);
/** Seconds. Short, so that a test does not wait long for a dead owner; a busy machine may need more. */
const LEASE = process.env.TIDEGATE_LEASE ?? "3";
/** Seconds that the store is gone. */
const OUTAGE = Number(process.env.TIDEGATE_OUTAGE ?? 3);

const room = mkdtempSync(join(tmpdir(), "tidegate-several-"));
after(() => rmSync(room, { recursive: true, force: true }));
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const fleetOf = async (front: Front): Promise<Fleet> => (await json<Fleet>(`${front.url}/api/fleet`)).body;
const syncOf = (front: Front, id: string) => json<WeightSync>(`${front.url}/api/weight-syncs/${id}`);

/** Resolves when `holds` does; fails with what was last seen. */
async function until<T>(what: string, look: () => Promise<T>, holds: (seen: T) => boolean, seconds = 30): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > end) assert.fail(`${what}: not within ${seconds} s, but ${JSON.stringify(seen)}`);
    await sleep(30);
  }
}

describe("two gateways over one store", () => {
  let store: StoppableStore;
  let fakes: FakeWeights[];
  let fronts: Front[];
  let step = 0;
  const args = (): string[] => [
    ...["--store", store.url, "--store-lease", LEASE, "--spool-dir", join(room, "spool")],
    ...fakes.flatMap(({ url }) => ["--upstream", url]),
    ...["--probe-interval", "0.3", "--log-level", "info"],
  ];
  const next = (): string => {
    step += 1;
    return writeCheckpoint(room, step);
  };
  before(async () => {
    store = await startStore();
    fakes = await Promise.all([0, 1].map((at) => startFakeWeights({ name: `fake-${at}` })));
    fronts = await Promise.all([startFront(args()), startFront(args())]);
    console.log(`${store.kind}, seed ${SEED}, ${ROUNDS} rounds, lease ${LEASE} s`);
  });
  after(async () => {
    for (const front of fronts ?? []) await front.end("SIGKILL");
    for (const fake of fakes ?? []) await fake.stop();
    await store?.stop();
    if (process.env.TIDEGATE_SHOW_OUTPUT === "1") for (const front of fronts) console.log(front.output());
  });

  async function healthy(): Promise<Fleet> {
    const serves = (fleet: Fleet): boolean => fleet.state === "ready" && fleet.active_sync === null;
    for (const front of fronts) await until("a fleet that serves", () => fleetOf(front), serves);
    // One that was away shows what it last knew until it has heard of the rest.
    const both = () => Promise.all(fronts.map(fleetOf));
    const [first] = await until("one version", both, ([one, two]) => one?.weight_version === two?.weight_version);
    assert.ok(first !== undefined);
    for (const front of fronts) {
      const { status, version, body } = await ask(front.url);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(version, String(first.weight_version));
    }
    return first;
  }

  test("syncs started at both at once: one runs, the other is refused with its id; both serve the new version", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const paths = [next(), next()];
      const results = await Promise.all(fronts.map((front, at) => startSync(front.url, paths[at] ?? "", 30)));
      const winner = results.findIndex(({ status }) => status === 200);
      const [won, lost] = [results[winner], results[1 - winner]];
      assert.ok(won !== undefined && lost !== undefined, JSON.stringify(results));
      assert.equal(won.body.state, "completed", JSON.stringify(won.body));
      assert.equal(lost.status, 409, JSON.stringify(lost.body));
      assert.equal(lost.body.code, "sync_in_progress");
      assert.ok(lost.body.detail?.includes(won.body.id), `${lost.body.detail} does not name ${won.body.id}`);
      assert.ok(lost.body.detail?.includes(fronts[winner]?.url ?? ""), `${lost.body.detail} does not name the owner`);
      // At once, and at both: nothing older is answered any more.
      for (const front of fronts) {
        const { status, version, body } = await ask(front.url, { "x-request-timeout": "10" });
        assert.equal(status, 200, JSON.stringify(body));
        assert.equal(version, String(won.body.version));
        const seen = await syncOf(front, won.body.id);
        assert.equal(seen.body.state, "completed");
      }
      await healthy();
    }
  });

  /** Starts what was killed, and refits what was fenced. */
  async function heal(): Promise<void> {
    for (const front of fronts) {
      const fleet = await until(
        "no sync under way",
        () => fleetOf(front),
        ({ active_sync, servers }) =>
          active_sync === null && servers.every(({ state }) => state === "ready" || state === "quarantined"),
      );
      for (const { id, state } of fleet.servers) {
        if (state !== "quarantined") continue;
        const { status, body } = await postJson(`${front.url}/api/servers/${id}/refit`, {});
        assert.ok(status === 200 || status === 409, JSON.stringify(body));
      }
    }
    await healthy();
  }

  function judge(traffic: Traffic, where: string): void {
    assert.deepEqual(traffic.wrong, [], where);
    for (const { state } of fakes) assert.ok(!state.dead, `${where}: a request met a server without weights`);
  }
  async function trainerUpdate(front: Front, step: number, pause: () => Promise<void>): Promise<void> {
    const { body } = await json<{ world_size: number }>(`${front.url}/get_world_size`);
    const world = body.world_size + 1;
    const trainer = await listenAsTrainer(world);
    try {
      const init = { master_address: "127.0.0.1", master_port: trainer.port, rank_offset: 1, world_size: world };
      const post = async (path: string, value: unknown): Promise<void> => {
        const answer = await postJson(`${front.url}${path}`, value);
        assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
        await pause();
      };
      await post("/init_weight_transfer_engine", { init_info: init });
      await post("/start_weight_update", {});
      // Servers without weights are woken by nobody.
      for (const url of urls().flatMap((front) => ["/resume", "/sleep", "/wake_up"].map((path) => front + path)))
        assert.equal((await postJson(url, {})).status, 409, url);
      const updating = post("/update_weights", { update_info: updateInfo() });
      broadcast(trainer, step, false);
      await updating;
      await post("/finish_weight_update", {});
    } finally {
      await trainer.close();
    }
  }
  const urls = (): string[] => fronts.map(({ url }) => url);

  test("syncs of every mode at either, a trainer's updates at either: no request meets a server in between", async () => {
    const draw = createDraw(SEED + 2);
    const traffic = startTraffic(urls());
    for (const fake of fakes) fake.state.tokenDelayMs = 3;
    for (let round = 0; round < 3 * ROUNDS; round += 1) {
      const front = fronts[draw(2)] as Front;
      const mode = ["wait", "abort", "keep"][round % 3];
      const path = next();
      const { status, body } = await postJson<WeightSync>(
        `${front.url}/api/weight-syncs`,
        { source: { kind: "disk", path }, deadline_s: 30, mode },
        { prefer: "wait=30" },
      );
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.state, "completed", JSON.stringify(body));
      await trainerUpdate(front, 100 + round, () => sleep(draw(60)));
      judge(traffic, `round ${round}, ${mode}`);
    }
    for (const fake of fakes) fake.state.tokenDelayMs = 0;
    await traffic.stop();
    assert.equal(traffic.statuses.get(504), undefined, "a server stayed paused");
    console.log(
      `${6 * ROUNDS} changes under traffic, ${traffic.answers} answers, ${JSON.stringify([...traffic.statuses])}`,
    );
    judge(traffic, "the end");
    await healthy();
  });

  test("servers attached and detached, keys of idempotency, audit entries, metrics: the same at both", async () => {
    const [first, second] = fronts as [Front, Front];
    const extra = await startFakeWeights({ name: "extra" });
    try {
      const attached = await postJson<{ id: string }>(`${first.url}/api/servers`, { url: extra.url });
      assert.equal(attached.status, 201, JSON.stringify(attached.body));
      await until(
        "the attached server at the other",
        () => fleetOf(second),
        ({ servers }) => servers.some(({ url }) => url === extra.url),
      );
      const key = { "idempotency-key": `step-${SEED}`, prefer: "wait=30" };
      const request = { source: { kind: "disk", path: next() }, deadline_s: 30 };
      const one = await postJson<WeightSync>(`${first.url}/api/weight-syncs`, request, key);
      assert.equal(one.body.state, "completed", JSON.stringify(one.body));
      const again = await postJson<WeightSync>(`${second.url}/api/weight-syncs`, request, key);
      assert.equal(again.body.id, one.body.id, JSON.stringify(again.body));
      const other = { ...request, deadline_s: 31 };
      const differs = await postJson<{ code: string }>(`${second.url}/api/weight-syncs`, other, key);
      assert.deepEqual([differs.status, differs.body.code], [409, "idempotency_conflict"]);
      const detached = await json(`${second.url}/api/servers/${attached.body.id}`, { method: "DELETE" });
      assert.ok(detached.status < 300, JSON.stringify(detached.body));
      await until(
        "the detached server at the first",
        () => fleetOf(first),
        ({ servers }) => servers.every(({ url }) => url !== extra.url),
      );
      await until(
        "the first one's audit entries at the other",
        async () => (await json<{ entries: { sync?: string }[] }>(`${second.url}/api/audit?limit=1000`)).body.entries,
        (entries) => entries.some(({ sync }) => sync === one.body.id),
      );
      const metrics = await (await fetch(`${second.url}/metrics`)).text();
      assert.match(metrics, /^tidegate_store_up 1$/m);
      assert.match(metrics, /^tidegate_store_heard 1$/m);
      assert.match(metrics, /^tidegate_store_lease_held 0$/m);
      assert.match(metrics, /^tidegate_store_round_seconds_count [1-9]/m);
    } finally {
      await extra.stop();
    }
    await healthy();
  });

  test("an owner that was suspended for longer than its lease changes nothing any more", async () => {
    const draw = createDraw(SEED + 3);
    const traffic = startTraffic(urls());
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const fake of fakes) fake.state.setFaults({ paths: ["/collective_rpc"], delayHeadMs: 100 + draw(200) });
      const at = draw(2);
      const [owner, other] = [fronts[at], fronts[1 - at]];
      assert.ok(owner !== undefined && other !== undefined);
      const { body } = await startSync(owner.url, next(), 0);
      await sleep(draw(400));
      owner.signal("SIGSTOP");
      traffic.aim([other.url]);
      await sleep(Number(LEASE) * 1000 + 1500);
      const seen = await syncOf(other, body.id);
      assert.notEqual(seen.body.finished_at, null, JSON.stringify(seen.body));
      for (const fake of fakes) fake.state.setFaults({});
      // Everything is whole again before the other one wakes up.
      for (const { id, state } of (await fleetOf(other)).servers) {
        if (state === "quarantined") await postJson(`${other.url}/api/servers/${id}/refit`, {});
      }
      const newer = await startSync(other.url, next(), 30);
      assert.equal(newer.body.state, "completed", JSON.stringify(newer.body));
      owner.signal("SIGCONT");
      traffic.aim(urls());
      await sleep(300);
      judge(traffic, `round ${round}`);
      await heal();
      judge(traffic, `round ${round}, healed`);
      assert.ok((await fleetOf(owner)).weight_version >= newer.body.version);
    }
    await traffic.stop();
    console.log(`${ROUNDS} owners suspended, ${traffic.answers} answers`);
  });

  test("the owner killed in mid-sync: the other reports it, fences what it had touched, and goes on", async () => {
    const draw = createDraw(SEED);
    const traffic = startTraffic(urls());
    let halfDone = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const fake of fakes)
        fake.state.setFaults({ paths: ["/collective_rpc", "/pause"], delayHeadMs: 50 + draw(150) });
      const dying = draw(2);
      const [owner, other] = [fronts[dying], fronts[1 - dying]];
      assert.ok(owner !== undefined && other !== undefined);
      const started = await startSync(owner.url, next(), 0);
      assert.equal(started.status, 202, JSON.stringify(started.body));
      const { id } = started.body;
      await sleep(draw(500));
      await owner.end("SIGKILL");
      traffic.aim([other.url]);
      const ended = await until(
        `round ${round}: the end of ${id}`,
        () => syncOf(other, id),
        ({ body }) => body.finished_at !== null,
        Number(LEASE) * 2 + 3,
      );
      const fleet = await fleetOf(other);
      assert.equal(fleet.active_sync, null);
      if (ended.body.state === "completed") assert.equal(fleet.weight_version, ended.body.version);
      else {
        const { error, phase, servers } = ended.body;
        assert.equal(error?.code, "sync_failed");
        assert.equal(error?.phase, phase);
        assert.match(error?.message ?? "", /The gateway that ran it ended in phase \w+\./);
        for (const server of servers) {
          const now = fleet.servers.find(({ id }) => id === server.id);
          if (server.phase === "fenced") {
            halfDone += 1;
            assert.equal(now?.state, "quarantined", JSON.stringify(now));
            assert.match(now?.last_error ?? "", /What .* now hold is unknown/);
          } else assert.equal(server.phase, "discarded");
        }
      }
      for (const fake of fakes) fake.state.setFaults({});
      fronts[dying] = await startFront(args(), false);
      await heal();
      traffic.aim(urls());
      judge(traffic, `round ${round}`);
    }
    await traffic.stop();
    console.log(`${ROUNDS} owners killed, ${halfDone} servers fenced, ${traffic.answers} answers`);
    judge(traffic, "the end");
  });

  test("the owner killed before it has resumed what it published with: the other resumes it", async () => {
    await healthy();
    const [owner, other] = fronts as [Front, Front];
    for (const fake of fakes) fake.state.setFaults({ paths: ["/resume"], hang: true });
    const version = (await fleetOf(owner)).weight_version + 1;
    const broken = trainerUpdate(owner, 100 + step, async () => undefined).catch(() => undefined);
    const reached = ({ weight_version }: Fleet): boolean => weight_version === version;
    await until("the new version", () => fleetOf(owner), reached);
    await owner.end("SIGKILL");
    await broken;
    for (const fake of fakes) {
      assert.ok(fake.state.paused);
      fake.state.setFaults({});
    }
    const patience = { "x-request-timeout": String(Number(LEASE) * 2 + 3) };
    const { status, version: answered, body } = await ask(other.url, patience);
    assert.equal(status, 200, `${JSON.stringify(body)} ${other.output()}`);
    assert.equal(answered, String(version));
    fronts[0] = await startFront(args(), false);
    await healthy();
  });

  for (const how of ["stands still", "is killed and comes back empty"]) {
    test(`the store ${how}: no answer with a wrong version, and recovery without a restart`, async () => {
      const draw = createDraw(SEED + 1);
      const traffic = startTraffic(urls());
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = await healthy();
        for (const fake of fakes) fake.state.setFaults({ paths: ["/collective_rpc"], delayHeadMs: draw(200) });
        // Every other time in the middle of a sync.
        const running = round % 2 === 0 ? startSync(fronts[draw(2)]?.url ?? "", next(), 30) : undefined;
        await sleep(draw(400));
        if (how === "stands still") store.freeze();
        else await store.kill();
        await sleep(OUTAGE * 1000);
        for (const front of fronts) {
          const { status, headers, body } = await postJson<{ error: { message: string } }>(
            `${front.url}/v1/completions`,
            {
              model: "tiny",
              prompt: "x",
              max_tokens: 1,
            },
          );
          assert.equal(status, 503, JSON.stringify(body));
          assert.equal(headers.get("retry-after"), "1");
          assert.match(body.error.message, /has not heard from its store/);
          assert.equal((await json(`${front.url}/readyz`)).status, 503);
          const refused = await startSync(front.url, next(), 10);
          assert.ok([409, 424].includes(refused.status), JSON.stringify(refused.body));
        }
        if (how === "stands still") store.thaw();
        else await store.restart();
        for (const fake of fakes) fake.state.setFaults({});
        const outcome = await running;
        await heal();
        const after = await fleetOf(fronts[0] as Front);
        assert.ok(after.weight_version >= before.weight_version, "a published version was lost");
        if (outcome?.status === 200 && outcome.body.state === "completed") {
          assert.ok(after.weight_version >= outcome.body.version, "a confirmed version was lost");
        }
        // What one of them had put together may still name the sync that the outage ended, until that one clears it away.
        const path = next();
        const synced = await until(
          "a sync after the outage",
          () => startSync(fronts[draw(2)]?.url ?? "", path, 30),
          ({ status }) => status !== 409,
          10,
        );
        assert.equal(synced.body.state, "completed", JSON.stringify(synced.body));
        await healthy();
        judge(traffic, `round ${round}`);
      }
      await traffic.stop();
      console.log(
        `the store ${how}: ${ROUNDS} times, ${traffic.answers} answers, ${JSON.stringify([...traffic.statuses])}`,
      );
      judge(traffic, "the end");
    });
  }
});
