/** The trainer's side of the library over NCCL (the C stand-in): `initCommunicator` and `updateModelParams` against native servers. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { type NamedTensor, VLLMClient, WeightSyncError } from "../../src/index.ts";
import { type Dtype, tensorBytes } from "../../src/tensor/dtype.ts";
import { NcclLibrary } from "../../src/worker/native/nccl-library.ts";
import { buildFakeNccl, FAULT } from "../native/build-fake.ts";
import { type NcclVllm, startNcclVllm } from "../native/nccl-vllm.ts";
import { writeSafetensorsFile } from "../support/safetensors-file.ts";

const fake = buildFakeNccl();
const skip = fake === undefined ? "needs Linux and a C compiler (cc)" : false;
const library = fake && new NcclLibrary({ nccl: fake.path, cudart: fake.path });

const TYPES: readonly [string, Dtype][] = [
  ["torch.float32", "F32"],
  ["float16", "F16"],
  ["BF16", "BF16"],
  ["float8_e4m3fn", "F8_E4M3"],
  ["torch.float8_e5m2", "F8_E5M2"],
];

function makeTensors(count: number): NamedTensor[] {
  return Array.from({ length: count }, (_, index) => {
    const [dtype, own] = TYPES[index % TYPES.length]!;
    const shape = index % 20 === 19 ? [] : [1 + (index % 7), 1 + ((index * 37) % 300)];
    const data = new Uint8Array(tensorBytes(own, shape)!).map((_, at) => (at * 31 + index) % 256);
    return { name: `layers.${index}.weight`, dtype, shape, data };
  });
}

const expected = (tensors: readonly NamedTensor[]): Map<string, string> =>
  new Map(
    tensors.map(({ name, data }) => [
      name,
      createHash("sha256")
        .update(data as Uint8Array)
        .digest("hex"),
    ]),
  );

const servers: NcclVllm[] = [];
const clients: VLLMClient[] = [];
afterEach(async () => {
  fake?.fault(1, 0, FAULT.none);
  await Promise.all(clients.splice(0).map((client) => client.closeCommunicator()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function start(options: { ranks?: number; version?: string } = {}): Promise<[NcclVllm, VLLMClient]> {
  const server = await startNcclVllm(library!, options);
  servers.push(server);
  const client = new VLLMClient({ baseUrl: server.url });
  clients.push(client);
  return [server, client];
}

const place = { host: "127.0.0.1", port: 0, ncclLibrary: fake?.path ?? "", cudartLibrary: fake?.path ?? "" };

const fails = (facts: { phase: string; says: string; status?: number }) => (error: WeightSyncError) => {
  assert.ok(error instanceof WeightSyncError, String(error));
  assert.equal(error.phase, facts.phase, error.message);
  assert.ok(error.message.includes(facts.says), `"${error.message}" lacks "${facts.says}"`);
  if (facts.status !== undefined) assert.equal(error.status, facts.status);
  return true;
};

describe("the trainer's communicator against native servers", { skip, timeout: 120_000 }, () => {
  for (const packed of [true, false]) {
    test(`200 tensors of mixed types to 3 ranks, ${packed ? "packed" : "one by one"}: digests equal on all`, async () => {
      const [server, client] = await start({ ranks: 3 });
      await client.initCommunicator({ ...place, worldSize: 4, packed });
      const tensors = makeTensors(200);
      const seen: number[] = [];
      const sent = await client.updateModelParams(tensors, {
        version: 7,
        onProgress: ({ bytes }: { readonly bytes: number }) => seen.push(bytes),
      });
      const bytes = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
      assert.deepEqual([sent.tensors, sent.bytes, sent.version], [200, bytes, 7]);
      assert.match(sent.digest, /^sha256:[0-9a-f]{64}$/);
      for (const rank of server.ranks.weights) assert.deepEqual(rank, expected(tensors));
      assert.equal(seen.at(-1), bytes);
      assert.equal(server.weightVersion, "7");
      const order = server.calls.filter((call) => call.startsWith("POST"));
      assert.deepEqual(order, [
        "POST /init_weight_transfer_engine",
        "POST /pause",
        "POST /start_weight_update",
        "POST /update_weights",
        "POST /finish_weight_update",
        "POST /reset_prefix_cache",
        "POST /resume",
      ]);
    });
  }

  test("a directory, an iterable that makes tensors as it goes, and one tensor, over one group", async () => {
    const [server, client] = await start();
    await client.initCommunicator(place);
    const folder = mkdtempSync(join(tmpdir(), "tidegate-communicator-"));
    try {
      const tensors = makeTensors(40);
      writeSafetensorsFile(
        join(folder, "model.safetensors"),
        tensors.map((tensor, index) => ({
          ...tensor,
          dtype: TYPES[index % TYPES.length]![1],
          data: tensor.data as Uint8Array,
        })),
      );
      const whole = await client.updateModelParams(folder, {});
      assert.deepEqual(server.ranks.weights[0], expected(tensors));
      async function* made(): AsyncGenerator<NamedTensor> {
        yield* tensors;
      }
      const again = await client.updateModelParams(made());
      assert.equal((again as { digest: string }).digest, (whole as { digest: string }).digest);
      const values = new Float32Array([1, 2.5, -3]);
      await client.updateNamedParam("layers.0.weight", { dtype: "float32", shape: [3], data: values });
      const now = server.ranks.weights[0]!.get("layers.0.weight");
      assert.equal(now, createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  for (const version of ["0.20.1", "0.25.0", "0.28.0"]) {
    test(`the forms of vLLM ${version}`, async () => {
      const [server, client] = await start({ version });
      await client.initCommunicator(place);
      const tensors = makeTensors(12);
      await client.updateModelParams(tensors);
      assert.deepEqual(server.ranks.weights[0], expected(tensors));
      assert.equal(server.calls.includes("POST /start_weight_update"), version !== "0.20.1");
    });
  }

  test("a server that never joins the broadcast: the deadline aborts, and this process starts a new group", async () => {
    const [server, client] = await start();
    await client.initCommunicator(place);
    server.fault = { path: "/update_weights", kind: "hang" };
    const late = client.updateModelParams(makeTensors(5), { deadline: 1 });
    await assert.rejects(late, fails({ phase: "transfer", says: "deadline", status: 504 }));
    await assert.rejects(client.updateModelParams(makeTensors(1)), fails({ phase: "transfer", says: "deadline" }));
    assert.ok(!server.calls.includes("POST /finish_weight_update"));
    assert.ok(!server.calls.includes("POST /resume"));
    server.fault = null;
    await server.stop();
    servers.length = 0;
    const [fresh] = await start();
    const second = new VLLMClient({ baseUrl: fresh.url });
    clients.push(second);
    await second.initCommunicator(place);
    const tensors = makeTensors(5);
    await second.updateModelParams(tensors);
    assert.deepEqual(fresh.ranks.weights[0], expected(tensors));
  });

  const faults: [string, NcclVllm["fault"], { phase: string; says: string }][] = [
    ["refuses the start", { path: "/start_weight_update", kind: "fail" }, { phase: "start", says: "injected failure" }],
    ["refuses the update", { path: "/update_weights", kind: "fail" }, { phase: "transfer", says: "injected failure" }],
    ["dies in the update", { path: "/update_weights", kind: "die" }, { phase: "transfer", says: "No answer from" }],
    [
      "fails after the update",
      { path: "/update_weights", kind: "failAfter" },
      { phase: "transfer", says: "injected failure afterwards" },
    ],
    ["refuses the finish", { path: "/finish_weight_update", kind: "fail" }, { phase: "finish", says: "injected" }],
  ];
  for (const [name, fault, facts] of faults) {
    test(`a server that ${name}: said with phase and words; the client joins again`, async () => {
      const [server, client] = await start();
      await client.initCommunicator(place);
      server.fault = fault;
      await assert.rejects(client.updateModelParams(makeTensors(5), { deadline: 20 }), fails(facts));
      assert.ok(!server.calls.includes("POST /resume"));
      server.fault = null;
      await client.initCommunicator(place);
    });
  }

  test("NCCL errors of a peer: the update ends with them", async () => {
    const [, client] = await start();
    fake!.fault(1, 2, FAULT.die);
    await client.initCommunicator(place);
    const failing = client.updateModelParams(makeTensors(5), { deadline: 20 });
    await assert.rejects(failing, fails({ phase: "transfer", says: "remote process exited" }));
  });

  test("a caller's signal ends an update with its own reason", async () => {
    const [server, client] = await start();
    await client.initCommunicator(place);
    server.fault = { path: "/update_weights", kind: "hang" };
    const controller = new AbortController();
    const ending = client.updateModelParams(makeTensors(3), {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error("enough")), 200);
    await assert.rejects(ending, /enough/);
  });

  test("what cannot work is refused before anybody joins", async () => {
    const [server, client] = await start({ ranks: 2 });
    const wrong = client.initCommunicator({ ...place, worldSize: 2 });
    await assert.rejects(wrong, fails({ phase: "init", says: "worldSize must be 3" }));
    assert.ok(!server.calls.some((call) => call.startsWith("POST")));
    await client.initCommunicator(place);
    const odd = { name: "odd", dtype: "float32", shape: [3], data: new Uint8Array(8) };
    await assert.rejects(client.updateModelParams([odd]), fails({ phase: "transfer", says: "takes 12 bytes, got 8" }));
    const none = new VLLMClient({ baseUrl: server.url });
    const missing = none.initCommunicator({ ...place, cudartLibrary: "/nowhere/libcudart.so", deadline: 5 });
    await assert.rejects(missing, fails({ phase: "init", says: "/nowhere/libcudart.so" }));
  });
});
