/**
 * `POST /api/weight-syncs` into vLLM servers with the weight-transfer backend `nccl`: the gateway's own process is rank 0 of
 * a group with each of them. NCCL and CUDA are the C stand-in; no GPU.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterEach, before, describe, test } from "node:test";
import { type Dtype, tensorBytes } from "../../src/tensor/dtype.ts";
import { NcclLibrary } from "../../src/worker/native/nccl-library.ts";
import type { FakeWeights, FakeWeightsOptions } from "../fakes/vllm-weights.ts";
import { buildFakeNccl, FAULT } from "../native/build-fake.ts";
import { createNcclPeer } from "../native/nccl-peer.ts";
import { NcclRanks } from "../native/nccl-ranks.ts";
import { post, until } from "../runtime/start.ts";
import { writeSafetensorsFile } from "../support/safetensors-file.ts";
import {
  directory,
  disk,
  fakeServer,
  front,
  generate,
  open,
  paths,
  server,
  sync,
  useWeights,
} from "../unit/cases/vllm-weights-rig.ts";

const fake = buildFakeNccl();
const skip = fake === undefined ? "needs Linux and a C compiler (cc)" : false;
const library = fake && new NcclLibrary({ nccl: fake.path, cudart: fake.path });
const libraries = { ncclLibrary: fake?.path ?? "", cudartLibrary: fake?.path ?? "" };
/** What loads no NCCL, whatever this machine has. */
const nothing = { ncclLibrary: "/nowhere/libnccl.so.2", cudartLibrary: "/nowhere/libcudart.so" };

useWeights();

const TYPES: readonly Dtype[] = ["F32", "F16", "BF16", "F8_E4M3"];

/** 12 small tensors and one that takes more than one piece of the pipe. Finite in every type. */
const makeTensors = (seed: number): { name: string; dtype: Dtype; shape: number[]; data: Uint8Array }[] =>
  Array.from({ length: 13 }, (_, index) => {
    const dtype = TYPES[index % TYPES.length]!;
    const shape = index === 12 ? [1280, 1024] : [1 + (index % 3), 1 + index * 7];
    const data = new Uint8Array(tensorBytes(dtype, shape)!).map((_, at) => (at * 31 + index + seed) % 48);
    return { name: `layers.${index}.weight`, dtype, shape, data };
  });

const digests = (seed: number): Map<string, string> =>
  new Map(makeTensors(seed).map(({ name, data }) => [name, createHash("sha256").update(data).digest("hex")]));

before(() => {
  for (const [seed, name] of ["nccl-base", "nccl-one", "nccl-two"].entries()) {
    mkdirSync(directory(name));
    writeSafetensorsFile(join(directory(name), "model.safetensors"), makeTensors(seed));
  }
});

afterEach(() => fake?.fault(1, 0, FAULT.none));

interface Ranked extends FakeWeights {
  readonly ranks: NcclRanks;
}

async function ncclServer(count: number, options: FakeWeightsOptions = {}): Promise<Ranked> {
  const ranks = new NcclRanks(library!, count);
  open.push({
    async stop() {
      ranks.life.abort(new Error("the server ends"));
      await ranks.leave();
    },
  });
  const own = { root: directory("nccl-base"), backend: "nccl", worldSize: count, peer: createNcclPeer(ranks) };
  return Object.assign(await fakeServer({ ...own, ...options }), { ranks });
}

/** Processes of ours that drive NCCL. */
const communicators = (): number =>
  readdirSync("/proc").filter((name) => {
    try {
      const parent = /\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))?.[1];
      return (
        Number(parent) === process.pid && readFileSync(`/proc/${name}/cmdline`, "utf8").includes("communicator-main")
      );
    } catch {
      return false;
    }
  }).length;

const weightCalls = (one: FakeWeights): string[] =>
  paths(one).filter((path) => /weight|collective/.test(path) && path !== "/v1/completions");

const NCCL_CALLS = [
  "/init_weight_transfer_engine",
  "/start_weight_update",
  "/update_weights",
  "/finish_weight_update",
  "/update_weight_version",
  "/shutdown_weight_transfer_engine",
];

describe("weight syncs over NCCL", { skip, timeout: 120_000 }, () => {
  test("servers of 1 and 2 ranks: every rank has every byte, the version is published, and no process is left", async () => {
    const servers = [await ncclServer(1), await ncclServer(2, { sees: () => false })];
    const gateway = await front(servers, libraries);
    for (const [seed, name] of [
      [1, "nccl-one"],
      [2, "nccl-two"],
    ] as const) {
      const { status, body } = await sync(gateway, disk(name));
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual([body.state, body.version], ["completed", seed]);
      for (const entry of body.servers) {
        // NCCL moves bytes and proves none.
        assert.deepEqual([entry.phase, entry.digest, entry.verified], ["switched", undefined, "unverified"]);
      }
      for (const { ranks, state } of servers) {
        for (const weights of ranks.weights) assert.deepEqual(weights, digests(seed));
        assert.deepEqual([state.weightVersion, state.paused, state.deadly], [String(seed), false, false]);
      }
      const answers = [await generate(gateway), await generate(gateway)];
      for (const { version } of answers) assert.equal(version, String(seed));
      assert.equal(answers[0]?.text, answers[1]?.text);
      await until("no process is left", () => communicators() === 0);
    }
    for (const [at, one] of servers.entries()) {
      assert.deepEqual(weightCalls(one), [...NCCL_CALLS, ...NCCL_CALLS]);
      assert.deepEqual(one.state.transfer.joins, Array(2).fill({ rankOffset: 1, worldSize: at + 2 }));
      assert.equal(one.loads, 0, "nothing was read from the disk");
    }
  });

  for (const version of ["0.20.1", "0.25.0", "0.27.0"]) {
    test(`the forms of vLLM ${version}`, async () => {
      const one = await ncclServer(1, { version });
      const gateway = await front([one], libraries);
      const { body } = await sync(gateway, disk("nccl-one"));
      assert.equal(body.state, "completed", JSON.stringify(body));
      assert.deepEqual(one.ranks.weights[0], digests(1));
      assert.equal(weightCalls(one).includes("/start_weight_update"), version !== "0.20.1");
    });
  }

  test("a server that hangs in the update is fenced at the deadline and named; the next sync mends it", async () => {
    const [good, bad] = [await ncclServer(1), await ncclServer(2)];
    const gateway = await front([good, bad], libraries);
    bad.state.setFaults({ paths: ["/update_weights"], hang: true });
    const { body } = await sync(gateway, disk("nccl-one", { deadline_s: 3 }));
    assert.deepEqual(
      body.servers.map(({ phase }) => phase),
      ["switched", "fenced"],
    );
    assert.deepEqual([body.error?.code, body.error?.replica], ["deadline_exceeded", "vllm-1"]);
    assert.equal((await server(gateway, "vllm-1")).state, "quarantined");
    assert.equal(bad.state.paused, true);
    for (let at = 0; at < 4; at += 1) assert.equal((await generate(gateway)).by, "vllm-0");
    await until("no process is left", () => communicators() === 0);
    bad.state.setFaults({});
    const next = await sync(gateway, disk("nccl-two"));
    assert.equal(next.body.state, "completed", JSON.stringify(next.body));
    await until("it is back", async () => (await server(gateway, "vllm-1")).state === "ready");
    assert.equal((await server(gateway, "vllm-1")).weight_version, 2);
    for (const { ranks } of [good, bad]) {
      for (const weights of ranks.weights) assert.deepEqual(weights, digests(2));
    }
    assert.equal(bad.state.dead, false);
    await until("no process is left", () => communicators() === 0);
  });

  test("a server that fails the update, in its own words; the others are published", async () => {
    const [good, bad] = [await ncclServer(1), await ncclServer(1)];
    const gateway = await front([good, bad], libraries);
    bad.state.setFaults({ paths: ["/update_weights"], status: 500, body: '{"error":{"message":"out of memory"}}' });
    const { body } = await sync(gateway, disk("nccl-one"));
    assert.deepEqual(
      body.servers.map(({ phase }) => phase),
      ["switched", "fenced"],
    );
    assert.match(body.error?.upstream ?? "", /out of memory/);
    await until("no process is left", () => communicators() === 0);
    bad.state.setFaults({});
    assert.equal((await post(`${gateway.url}/api/servers/vllm-1/refit`, {})).status, 200);
    assert.deepEqual(bad.ranks.weights[0], digests(1));
  });

  test("a group that does not form: from the disk that both see, or, without one, fenced with the mend", async () => {
    for (const sees of [true, false]) {
      const one = await ncclServer(1, { sees: () => sees });
      const gateway = await front([one], libraries);
      fake!.fault(1, 0, FAULT.fail);
      const { status, body } = await sync(gateway, disk("nccl-one"));
      assert.ok(!weightCalls(one).includes("/start_weight_update"));
      assert.equal(status, sees ? 200 : 424, JSON.stringify(body));
      if (sees) assert.deepEqual([one.loads, (await generate(gateway)).version], [1, "1"]);
      else {
        assert.equal(body.replica, "vllm-0");
        assert.match(body.detail ?? "", /formed no NCCL group.*CUDA_VISIBLE_DEVICES/s);
      }
      await until("no process is left", () => communicators() === 0);
    }
  });

  test("another server's refusal ends the process before anything is paused", async () => {
    const [one, blind] = [await ncclServer(1), await fakeServer({ root: directory("nccl-base"), sees: () => false })];
    const { status, body } = await sync(await front([one, blind], libraries), disk("nccl-one"));
    assert.deepEqual([status, body.replica], [400, "vllm-1"]);
    assert.match(body.detail ?? "", /NCCL.*the server has no weight-transfer backend/s);
    assert.deepEqual(paths(one), []);
    await until("no process is left", () => communicators() === 0);
  });

  test("libraries without a GPU: from the disk; a process that crashes: refused before anything is paused", async () => {
    try {
      process.env.FAKE_CUDA_DEVICE = "none";
      const one = await ncclServer(1);
      const gateway = await front([one], libraries);
      assert.equal((await sync(gateway, disk("nccl-one"))).body.state, "completed");
      assert.deepEqual([one.loads, one.ranks.weights[0]!.size], [1, 0]);
      process.env.FAKE_CUDA_DEVICE = "crash";
      const { status, body } = await sync(gateway, disk("nccl-two"));
      assert.deepEqual([status, body.replica, body.phase], [424, "vllm-0", "stage"], JSON.stringify(body));
      assert.match(body.detail ?? "", /communicator's worker process .* ended \(signal SIGABRT\)/);
      assert.equal((await generate(gateway)).version, "1");
      assert.equal(one.loads, 1);
      delete process.env.FAKE_CUDA_DEVICE;
      assert.equal((await sync(gateway, disk("nccl-two"))).body.state, "completed");
      assert.deepEqual(one.ranks.weights[0], digests(2));
      await until("no process is left", () => communicators() === 0);
    } finally {
      delete process.env.FAKE_CUDA_DEVICE;
    }
  });

  test("no NCCL on this machine: from the disk, as ever; and without one the refusal names all that would help", async () => {
    const seeing = await ncclServer(1);
    assert.equal((await sync(await front([seeing], nothing), disk("nccl-one"))).body.state, "completed");
    assert.equal(seeing.loads, 1);
    const blind = await ncclServer(1, { sees: () => false });
    const { status, body } = await sync(await front([blind], nothing), disk("nccl-one"));
    assert.deepEqual([status, body.code, body.replica], [400, "unsupported", "vllm-0"]);
    assert.match(body.detail ?? "", /spool-dir.*tidegate-vllm.*NCCL.*\/nowhere\/libcudart\.so/s);
    assert.deepEqual(
      [seeing, blind].flatMap(({ ranks }) => ranks.weights[0]!.size),
      [0, 0],
    );
    assert.equal(communicators(), 0);
  });

  test("a server that is in a trainer's group keeps it", async () => {
    const one = await fakeServer({
      root: directory("nccl-base"),
      backend: "nccl",
      peer: { join: async () => ({ receive: async () => new Uint8Array(), close: () => {} }) },
    });
    const gateway = await front([one], libraries);
    const init_info = { master_address: "127.0.0.1", master_port: 1, rank_offset: 1, world_size: 2 };
    const joined = await post(`${gateway.url}/init_weight_transfer_engine`, { init_info });
    assert.equal(joined.status, 200, await joined.text());
    assert.equal((await sync(gateway, disk("nccl-one"))).body.state, "completed");
    assert.deepEqual([one.loads, one.state.transfer.joins.length], [1, 1]);
  });
});
