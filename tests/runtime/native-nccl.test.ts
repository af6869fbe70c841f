/** NCCL and CUDA through FFI, against a C library that implements the entry points over sockets (tests/native/fake-nccl.c). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, describe, test } from "node:test";
import type { GatewayError } from "../../src/errors.ts";
import { type Dtype, tensorBytes } from "../../src/tensor/dtype.ts";
import { createNcclCommunicator, type NcclCommunicator } from "../../src/worker/native/nccl-communicator.ts";
import { NcclLibrary } from "../../src/worker/native/nccl-library.ts";
import { type NamedTensor, receiveTensors, sendTensors } from "../../src/worker/native/nccl-weights.ts";
import { NcclUniqueId } from "../../src/worker/native/pickle-values.ts";
import { joinProcessGroup } from "../../src/worker/native/process-group.ts";
import { listenTcpStore } from "../../src/worker/native/tcp-store-server.ts";
import { buildFakeNccl, FAULT, LIVE } from "../native/build-fake.ts";
import { clock, random } from "../native/clock.ts";

const fake = buildFakeNccl();
const skip = fake === undefined ? "needs Linux and a C compiler (cc)" : false;
const library = fake && new NcclLibrary({ nccl: fake.path, cudart: fake.path });

/** Joins all ranks in this process. Results are settled, so that one rank's failure does not hide another's. */
async function join(worldSize: number, more: object = {}): Promise<PromiseSettledResult<NcclCommunicator>[]> {
  const uniqueId = await library!.createUniqueId();
  const options = { library: library!, worldSize, uniqueId, clock, timeout: 10_000, stagingBytes: 4096, ...more };
  return await Promise.allSettled(
    Array.from({ length: worldSize }, (_, rank) => createNcclCommunicator({ ...options, rank })),
  );
}

async function joinAll(worldSize: number, more: object = {}): Promise<NcclCommunicator[]> {
  return (await join(worldSize, more)).map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

const closeAll = (ranks: readonly NcclCommunicator[]) => Promise.all(ranks.map((rank) => rank.close()));

const DTYPES: Dtype[] = ["F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "U8", "BOOL"];

function makeTensors(count: number): NamedTensor[] {
  return Array.from({ length: count }, (_, index) => {
    const dtype = DTYPES[index % DTYPES.length]!;
    const shape = index % 10 === 9 ? [] : [index % 7, 1 + ((index * 13) % 200)];
    const bytes = new Uint8Array(tensorBytes(dtype, shape)!).map((_, at) => (at * 31 + index) % 256);
    return { name: `layers.${index}.weight`, dtype, shape, bytes };
  });
}

const digest = (tensors: readonly NamedTensor[]): string => {
  const hash = createHash("sha256");
  for (const { name, bytes } of tensors) hash.update(name).update(bytes);
  return hash.digest("hex");
};

const collect = async (tensors: AsyncIterable<NamedTensor>): Promise<NamedTensor[]> => {
  const all: NamedTensor[] = [];
  for await (const tensor of tensors) all.push(tensor);
  return all;
};

const fails =
  (code: string, ...says: string[]) =>
  (error: GatewayError) => {
    assert.equal(error.code, code, error.message);
    for (const words of says) assert.ok(error.message.includes(words), `"${error.message}" lacks "${words}"`);
    return true;
  };

describe("NCCL through FFI", { skip }, () => {
  afterEach(() => {
    for (const [what, index] of Object.entries(LIVE)) assert.equal(fake!.live(index), 0, `${what} left behind`);
  });

  test("the library says its version; an id has 128 bytes", async () => {
    assert.equal(library!.version, "2.30.7");
    assert.equal((await library!.createUniqueId()).bytes.length, 128);
  });

  test("a missing library or entry point is refused with what was tried", () => {
    assert.throws(
      () => new NcclLibrary({ cudart: "/nowhere/libcudart.so" }),
      fails("unsupported", "/nowhere/libcudart.so"),
    );
    assert.throws(
      () => new NcclLibrary({ cudart: fake!.path, nccl: "libc.so.6" }),
      fails("unsupported", "ncclGetVersion"),
    );
  });

  for (const packedBytes of [undefined, 1, 3000, 1e9]) {
    for (const root of [0, 2]) {
      const way = packedBytes === undefined ? "one by one" : `packed by ${packedBytes} bytes`;
      test(`200 tensors of mixed types from root ${root} to 2 others, ${way}: digests equal`, {
        timeout: 60_000,
      }, async () => {
        const ranks = await joinAll(3);
        const tensors = makeTensors(200);
        const specs = tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
        const how = packedBytes === undefined ? {} : { packedBytes };
        const seen: number[] = [];
        const [sent, ...received] = await Promise.all([
          sendTensors(ranks[root]!, tensors, { ...how, onProgress: (done) => void seen.push(done.bytes) }),
          ...ranks.filter(({ rank }) => rank !== root).map((rank) => collect(receiveTensors(rank, specs, root, how))),
        ]);
        for (const other of received) assert.equal(digest(other), digest(tensors));
        assert.equal(received.length, 2);
        const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes.length, 0);
        assert.deepEqual(sent, { tensors: 200, bytes });
        assert.equal(seen.at(-1), bytes);
        await closeAll(ranks);
      });
    }
  }

  test("the whole rendezvous: id through the process group, then weights, then a barrier", async () => {
    const server = await listenTcpStore({ host: "127.0.0.1", port: 0, clock });
    const tensors = makeTensors(20);
    const run = async (rank: number): Promise<string> => {
      const place = { host: "127.0.0.1", port: server.port, rank, worldSize: 3, clock, random };
      const group = await joinProcessGroup({ ...place, ...(rank === 0 && { server }) });
      const uniqueId = await group.broadcastObject(rank === 0 ? await library!.createUniqueId() : null, 0);
      assert.ok(uniqueId instanceof NcclUniqueId);
      const communicator = await createNcclCommunicator({ library: library!, rank, worldSize: 3, uniqueId, clock });
      let mine = tensors;
      // The legacy trainer is the last rank, and root.
      if (rank === 2) await sendTensors(communicator, tensors);
      else mine = await collect(receiveTensors(communicator, tensors, 2));
      await group.barrier();
      await communicator.close();
      if (rank === 0) await new Promise((resolve) => clock.timer(100, () => resolve(undefined)));
      await group.close();
      return digest(mine);
    };
    assert.deepEqual(new Set(await Promise.all([0, 1, 2].map(run))), new Set([digest(tensors)]));
  });
});

describe("NCCL that goes wrong", { skip }, () => {
  afterEach(() => {
    for (const [what, index] of Object.entries(LIVE)) assert.equal(fake!.live(index), 0, `${what} left behind`);
  });

  test("a rank that does not come: deadline, nothing left, and a new group works", async () => {
    const uniqueId = await library!.createUniqueId();
    const options = { library: library!, worldSize: 2, uniqueId, clock, rank: 0 };
    await assert.rejects(createNcclCommunicator({ ...options, timeout: 100 }), fails("deadline_exceeded", "joining"));
    await closeAll(await joinAll(2));
  });

  test("the deadline passes inside the call that makes the communicator: it is aborted as soon as it is there", async () => {
    fake!.fault(0, 0, FAULT.block);
    const uniqueId = await library!.createUniqueId();
    const options = { library: library!, worldSize: 2, uniqueId, clock, rank: 0, timeout: 100 };
    await assert.rejects(createNcclCommunicator(options), fails("deadline_exceeded", "joining"));
    assert.equal(fake!.live(LIVE.communicators), 0);
    await closeAll(await joinAll(2));
  });

  const joining: [string, number, string, string][] = [
    ["refuses to join", FAULT.fail, "sync_failed", "internal error (3)"],
    ["dies while it joins", FAULT.die, "sync_failed", "remote process exited"],
    ["hangs while it joins", FAULT.hang, "deadline_exceeded", "joining the communicator"],
  ];
  for (const [name, kind, code, says] of joining) {
    test(`a rank ${name}: both end, and a new group works`, async () => {
      fake!.fault(1, 0, kind);
      const results = await join(2, { timeout: 300 });
      assert.deepEqual(
        results.map(({ status }) => status),
        ["rejected", "rejected"],
      );
      fails(code, says)((results[1] as PromiseRejectedResult).reason);
      await closeAll(await joinAll(2));
    });
  }

  const transfers: [string, number, string, string][] = [
    ["never ends the kernel", FAULT.hang, "deadline_exceeded", "did not end"],
    ["never returns from the call", FAULT.block, "deadline_exceeded", "did not end"],
    ["fails in the call", FAULT.fail, "sync_failed", "internal error (3); the last words of the fake"],
    ["fails after the call", FAULT.lateFail, "sync_failed", "remote process exited"],
    ["loses its connection", FAULT.die, "sync_failed", "remote process exited"],
  ];
  for (const guilty of [0, 1]) {
    for (const [name, kind, code, says] of transfers) {
      test(`${guilty === 0 ? "the root" : "a receiver"} ${name}: aborted, and a new group works`, async () => {
        const tensors = makeTensors(5);
        // Operation 4 is the third broadcast.
        fake!.fault(guilty, 4, kind);
        const ranks = await joinAll(2, { timeout: 300 });
        const results = await Promise.allSettled([
          sendTensors(ranks[0]!, tensors),
          collect(receiveTensors(ranks[1]!, tensors, 0)),
        ]);
        assert.equal(results[guilty]!.status, "rejected");
        fails(code, says)((results[guilty] as PromiseRejectedResult).reason);
        assert.equal(ranks[guilty]!.failed.aborted, true);
        await assert.rejects(ranks[guilty]!.send([new Uint8Array(4)], "F32"), fails(code));
        await closeAll(ranks);
        const again = await joinAll(2);
        const [, received] = await Promise.all([
          sendTensors(again[0]!, tensors),
          collect(receiveTensors(again[1]!, tensors, 0)),
        ]);
        assert.equal(digest(received), digest(tensors));
        await closeAll(again);
      });
    }
  }

  test("the event loop goes on while a native call blocks; a signal ends it at once", async () => {
    fake!.fault(0, 2, FAULT.block);
    const ranks = await joinAll(2, { timeout: 30_000 });
    const controller = new AbortController();
    let ticks = 0;
    let over = false;
    const tick = (): void => {
      ticks += 1;
      if (ticks === 30) controller.abort(new Error("the trainer left"));
      if (!over) clock.timer(1, tick);
    };
    tick();
    const sending = ranks[0]!.send([new Uint8Array(64)], "F32", { signal: controller.signal });
    await assert.rejects(sending, /the trainer left/);
    over = true;
    assert.ok(ticks >= 30);
    await closeAll(ranks);
  });

  test("ranks that disagree on the size: the receiver hears of it, the root at the latest with its next call", async () => {
    const ranks = await joinAll(2, { timeout: 2000 });
    const [, received] = await Promise.allSettled([
      ranks[0]!.send([new Uint8Array(64)], "F32"),
      ranks[1]!.receive(128, "F32", 0),
    ]);
    assert.equal(received.status, "rejected");
    const twice = ranks[0]!.send([new Uint8Array(64)], "F32").then(() => ranks[0]!.send([new Uint8Array(64)], "F32"));
    await assert.rejects(twice, fails("sync_failed"));
    await closeAll(ranks);
  });

  test("no device memory: the call says how much was asked", async () => {
    const ranks = await joinAll(2);
    fake!.memory(1000);
    await assert.rejects(
      ranks[0]!.send([new Uint8Array(5000)], "U8"),
      fails("sync_failed", "5000 bytes: out of memory"),
    );
    fake!.memory(2 ** 40);
    await closeAll(ranks);
  });

  test("bad tensors are refused before anything is sent, and the group still works", async () => {
    const ranks = await joinAll(2);
    const [good] = makeTensors(1);
    const cases: [NamedTensor, string, string][] = [
      [
        { name: "short", dtype: "F32", shape: [4], bytes: new Uint8Array(15) },
        "weights_shape_mismatch",
        "takes 16 bytes",
      ],
      [{ name: "odd", dtype: "F4", shape: [3], bytes: new Uint8Array(2) }, "weights_shape_mismatch", "whole number"],
      [{ name: "no type", dtype: "I16", shape: [1], bytes: new Uint8Array(2) }, "weights_dtype_mismatch", "I16"],
    ];
    for (const [tensor, code, says] of cases) {
      await assert.rejects(sendTensors(ranks[0]!, [tensor]), fails(code, says));
    }
    assert.equal(ranks[0]!.failed.aborted, false);
    const [, received] = await Promise.all([
      sendTensors(ranks[0]!, [good!]),
      collect(receiveTensors(ranks[1]!, [good!], 0)),
    ]);
    assert.equal(digest(received), digest([good!]));
    await assert.rejects(ranks[1]!.receive(4, "F32", 1), fails("invalid_value", "root"));
    await closeAll(ranks);
  });

  test("impossible ranks and worlds are refused", async () => {
    const uniqueId = new NcclUniqueId(new Uint8Array(128));
    const options = { library: library!, uniqueId, clock };
    await assert.rejects(
      createNcclCommunicator({ ...options, rank: 0, worldSize: 1 }),
      fails("invalid_value", "worldSize"),
    );
    await assert.rejects(createNcclCommunicator({ ...options, rank: 2, worldSize: 2 }), fails("invalid_value", "rank"));
    // An id that no library made.
    await assert.rejects(
      createNcclCommunicator({ ...options, rank: 0, worldSize: 2 }),
      fails("sync_failed", "invalid argument"),
    );
  });
});

describe("NCCL that cannot be helped", { skip }, () => {
  // Last on purpose: what a stuck kernel holds is kept, and its thread with it.
  test("work that even the abort does not end: bounded, kept, and said", async () => {
    fake!.fault(0, 2, FAULT.stuck);
    let hurry = false;
    const hasty = {
      ...clock,
      timer: (ms: number, done: () => void) => clock.timer(hurry ? Math.min(ms, 100) : ms, done),
    };
    const ranks = await joinAll(2, { clock: hasty });
    hurry = true;
    const sending = ranks[0]!.send([new Uint8Array(64)], "F32");
    await assert.rejects(sending, fails("sync_failed", "did not end", "this process must be restarted"));
    await ranks[1]!.close();
    assert.equal(fake!.live(LIVE.allocations), 1);
    assert.equal(fake!.live(LIVE.communicators), 0);
  });
});
