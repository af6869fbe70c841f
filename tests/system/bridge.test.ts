/**
 * Legacy TRL trainers through the bridge to native vLLM servers, with the C stand-in for NCCL: the trainer is the last rank
 * of one group and sends, the servers are ranks of another, and the gateway's worker is rank 0 of both.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { afterEach, describe, test } from "node:test";
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import { type NamedTensor, VLLMClient, WeightSyncError } from "../../src/index.ts";
import { currentPorts } from "../../src/platform/current-ports.ts";
import { type Dtype, tensorBytes } from "../../src/tensor/dtype.ts";
import { NcclLibrary } from "../../src/worker/native/nccl-library.ts";
import { buildFakeNccl } from "../native/build-fake.ts";
import { NcclRanks } from "../native/nccl-ranks.ts";
import { type NcclVllm, startNcclVllm } from "../native/nccl-vllm.ts";
import { loadPlatform } from "../runtime/start.ts";

const fake = buildFakeNccl();
const skip = fake === undefined ? "needs Linux and a C compiler (cc)" : false;
const library = fake && new NcclLibrary({ nccl: fake.path, cudart: fake.path });
const libraries = { ncclLibrary: fake?.path ?? "", cudartLibrary: fake?.path ?? "" };

const TYPES: readonly [string, Dtype][] = [
  ["float32", "F32"],
  ["float16", "F16"],
  ["bfloat16", "BF16"],
  ["float8_e4m3fn", "F8_E4M3"],
];

const makeTensors = (count: number, seed = 0): NamedTensor[] =>
  Array.from({ length: count }, (_, index) => {
    const [dtype, own] = TYPES[index % TYPES.length]!;
    const shape = [1 + (index % 7), 1 + ((index * 37) % 200)];
    const data = new Uint8Array(tensorBytes(own, shape)!).map((_, at) => (at * 31 + index + seed) % 256);
    return { name: `layers.${index}.weight`, dtype, shape, data };
  });

const digests = (tensors: readonly NamedTensor[]): Map<string, string> =>
  new Map(
    tensors.map(({ name, data }) => [
      name,
      createHash("sha256")
        .update(data as Uint8Array)
        .digest("hex"),
    ]),
  );

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface House {
  readonly servers: readonly NcclVllm[];
  readonly gateway: Gateway;
  readonly url: string;
  trainer(): VLLMClient;
  init(trainer: VLLMClient): Promise<unknown>;
  /** Servers that hung in the broken broadcast are free again, which the gateway notices by asking. */
  responsive(ranks: number): Promise<void>;
  post(path: string, body: unknown): Promise<{ status: number; detail: string }>;
}

async function open(ranks: readonly number[], settings: Record<string, unknown> = {}): Promise<House> {
  const servers = await Promise.all(ranks.map((count) => startNcclVllm(library!, { ranks: count })));
  for (const server of servers) stops.push(() => server.stop());
  const config = parseConfig({
    upstream: servers.map(({ url }) => url),
    logLevel: "error",
    drainTimeout: 0.1,
    ...libraries,
    ...settings,
  });
  const gateway = createGateway(config, { ...(await currentPorts()), writeLine: () => {} });
  await gateway.start(AbortSignal.timeout(20_000));
  stops.push(() => gateway.stop());
  const listener = await (await loadPlatform()).listen(createApp(gateway), { host: "127.0.0.1", port: 0 });
  stops.push(() => listener.closeNow());
  const { url } = listener;
  return {
    servers,
    gateway,
    url,
    trainer() {
      const client = new VLLMClient({ baseUrl: url });
      stops.push(() => client.closeCommunicator());
      return client;
    },
    init: async (trainer) =>
      trainer.initCommunicator({
        transport: "nccl",
        dialect: "trl",
        port: await freePort(),
        deadline: 30,
        ...libraries,
      }),
    async responsive(ranks) {
      for (;;) {
        const answer = await fetch(`${url}/get_world_size`);
        if (((await answer.json()) as { world_size: number }).world_size === ranks) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async post(path, body) {
      const response = await fetch(url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const { detail, message } = (await response.json()) as { detail?: unknown; message?: unknown };
      return { status: response.status, detail: JSON.stringify(detail ?? message) };
    },
  };
}

const says = (words: RegExp) => (error: WeightSyncError) => {
  assert.ok(error instanceof WeightSyncError, String(error));
  assert.match(error.message, words);
  return true;
};

describe("the bridge for legacy TRL trainers", { skip, timeout: 120_000 }, () => {
  test("two native servers of 1 and 2 ranks: every rank has every tensor, and each update is a version", async () => {
    const house = await open([1, 2]);
    const trainer = house.trainer();
    await house.init(trainer);
    for (const round of [1, 2]) {
      const tensors = makeTensors(30, round);
      const sent = (await trainer.updateModelParams(tensors)) as unknown as { tensors: number };
      assert.equal(sent.tensors, 30);
      for (const { ranks } of house.servers)
        for (const weights of ranks.weights) assert.deepEqual(weights, digests(tensors));
      const fleet = house.gateway.fleet.snapshot();
      assert.equal(fleet.weight_version, round);
      assert.deepEqual(
        fleet.servers.map(({ state, weight_version }) => [state, weight_version]),
        [
          ["ready", round],
          ["ready", round],
        ],
      );
    }
    for (const { calls } of house.servers) {
      const steps = calls.filter((call) => /start_weight|update_weights|finish_weight/.test(call));
      const one = ["POST /start_weight_update", ...Array<string>(30).fill("POST /update_weights")];
      assert.deepEqual(steps, [...one, "POST /finish_weight_update", ...one, "POST /finish_weight_update"]);
    }
  });

  test("a legacy trainer counts one rank on this side", async () => {
    const house = await open([2, 2]);
    for (const [path, field] of [
      ["/get_world_size/", "world_size"],
      ["/get_tensor_parallel_size/", "tensor_parallel_size"],
    ] as const) {
      const answer = (await (await fetch(house.url + path)).json()) as Record<string, unknown>;
      assert.equal(answer[field], 1);
    }
    const native = (await (await fetch(`${house.url}/get_world_size`)).json()) as { world_size: number };
    assert.equal(native.world_size, 4);
  });

  const faults: [string, NcclVllm["fault"]][] = [
    ["fails the third update", { path: "/update_weights", kind: "fail", after: 2 }],
    ["cuts the connection in the third update", { path: "/update_weights", kind: "die", after: 2 }],
    ["fails the start", { path: "/start_weight_update", kind: "fail" }],
    ["fails the finish", { path: "/finish_weight_update", kind: "fail" }],
  ];
  for (const [name, fault] of faults) {
    test(`a server that ${name}: the trainer's next call says so, it gets no requests, and a new communicator mends it`, async () => {
      const house = await open([1, 1]);
      const trainer = house.trainer();
      await house.init(trainer);
      house.servers[1]!.fault = fault;
      const tensors = makeTensors(12);
      await assert.rejects(
        trainer.updateModelParams(tensors, { deadline: 30 }),
        says(/through the bridge failed: .*vllm-1/),
      );
      // A finish is published for whoever confirmed it; the other is kept from traffic.
      const published = fault?.path === "/finish_weight_update" ? 1 : 0;
      assert.equal(house.gateway.fleet.snapshot().weight_version, published);
      assert.notEqual(house.gateway.fleet.server("vllm-1")?.state, "ready");
      house.servers[1]!.fault = null;
      await house.responsive(2);
      const next = house.trainer();
      await house.init(next);
      await next.updateModelParams(tensors, { deadline: 30 });
      const fleet = house.gateway.fleet.snapshot();
      assert.equal(fleet.weight_version, published + 1);
      assert.deepEqual(
        fleet.servers.map(({ state }) => state),
        ["ready", "ready"],
      );
      for (const { ranks } of house.servers) assert.deepEqual(ranks.weights[0], digests(tensors));
    });
  }

  test("a trainer that leaves in the middle: the servers are kept from traffic until a whole update came", async () => {
    const house = await open([1]);
    const trainer = house.trainer();
    await house.init(trainer);
    const tensors = makeTensors(6);
    async function* half(): AsyncGenerator<NamedTensor> {
      yield* tensors.slice(0, 3);
      throw new Error("the trainer dies");
    }
    await assert.rejects(trainer.updateModelParams(half()), /the trainer dies/);
    const fenced = house.gateway.fleet.snapshot();
    assert.equal(fenced.weight_version, 0);
    assert.notEqual(fenced.servers[0]?.state, "ready");
    const next = house.trainer();
    await house.init(next);
    await next.updateModelParams(tensors);
    const fleet = house.gateway.fleet.snapshot();
    assert.deepEqual([fleet.weight_version, fleet.servers[0]?.state], [1, "ready"]);
  });

  test("a trainer that dies between two tensors is noticed by its group, not by a deadline", async () => {
    const house = await open([1]);
    const port = await freePort();
    const ranks = new NcclRanks(library!, 1);
    const place = { host: "127.0.0.1", port, world_size: 2 };
    assert.equal((await house.post("/init_communicator/", place)).status, 200);
    await ranks.join({ host: "127.0.0.1", port, first: 1, worldSize: 2, timeout: 20_000 });
    const tensor = { name: "w", dtype: "F32" as const, shape: [4] };
    assert.equal((await house.post("/update_named_param/", { ...tensor, dtype: "torch.float32" })).status, 200);
    await ranks.send(tensor, new Uint8Array(16).fill(7));
    await ranks.barrier();
    while (house.servers[0]!.ranks.weights[0]!.size === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await ranks.leave();
    while (house.gateway.fleet.snapshot().servers[0]?.state !== "quarantined") {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const next = await house.post("/update_named_param/", { ...tensor, dtype: "torch.float32" });
    assert.deepEqual([next.status, /1 of 2 ranks left/.test(next.detail)], [424, true]);
    assert.equal(house.gateway.fleet.snapshot().weight_version, 0);
  });

  test("what cannot be is refused at once, with the mend", async () => {
    const house = await open([1]);
    const param = { name: "w", dtype: "torch.float32", shape: [2] };
    const early = await house.post("/update_named_param/", param);
    assert.deepEqual([early.status, /init_communicator/.test(early.detail)], [409, true]);
    const port = await freePort();
    const wrong = await house.post("/init_communicator/", { host: "127.0.0.1", port, world_size: 3 });
    assert.deepEqual([wrong.status, /world_size must be 2/.test(wrong.detail)], [422, true]);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const used = (taken.address() as { port: number }).port;
    const busy = await house.post("/init_communicator/", { host: "127.0.0.1", port: used, world_size: 2 });
    await new Promise((resolve) => taken.close(resolve));
    assert.deepEqual([busy.status, /in use/.test(busy.detail)], [409, true]);
    const trainer = house.trainer();
    await house.init(trainer);
    const odd = await house.post("/update_named_param/", { ...param, dtype: "torch.complex64" });
    assert.deepEqual([odd.status, /torch\.bfloat16/.test(odd.detail)], [422, true]);
    assert.equal((await house.post("/reset_prefix_cache/", {})).status, 200);
    await trainer.updateModelParams(makeTensors(3));
  });
});
