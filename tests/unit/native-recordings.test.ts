/** Our rendezvous against bytes recorded from real torch and vLLM (tests/interop/python/rendezvous_record.py). */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { toRuns } from "../../src/worker/native/nccl-weights.ts";
import { readPickle } from "../../src/worker/native/pickle-read.ts";
import { toPickle } from "../../src/worker/native/pickle-write.ts";
import { joinProcessGroup } from "../../src/worker/native/process-group.ts";
import { connectTcpStore, type TcpStoreClient } from "../../src/worker/native/tcp-store-client.ts";
import { listenTcpStore } from "../../src/worker/native/tcp-store-server.ts";
import { clock, random } from "../native/clock.ts";
import { openRaw, type RawSocket, serveRaw } from "../native/sockets.ts";
import { fromJson, type Json, toJson } from "../native/tagged.ts";

type Exchange = ["c" | "s", string][];
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/rendezvous/${name}.json`, import.meta.url), "utf8"));
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const host = "127.0.0.1";

/** Plays one side of an exchange on a socket and checks that the other side says what was recorded. */
async function play(socket: RawSocket, exchange: Exchange, side: "c" | "s"): Promise<void> {
  for (const [index, [speaker, bytes]] of exchange.entries()) {
    if (speaker === side) socket.send(hex(bytes));
    else assert.equal(Buffer.from(await socket.receive(bytes.length / 2)).toString("hex"), bytes, `message ${index}`);
  }
}

async function operate(store: TcpStoreClient, [name, ...args]: [string, ...Json[]]): Promise<Json> {
  const [key, keys] = [String(args[0]), args[0] as string[]];
  const bytes = (index: number) => new TextEncoder().encode(String(args[index]));
  const text = (value: Uint8Array) => new TextDecoder().decode(value);
  if (name === "set") return (await store.set(key, bytes(1))) ?? null;
  if (name === "get") return text(await store.get(key));
  if (name === "add") return Number(await store.add(key, BigInt(Number(args[1]))));
  if (name === "check") return await store.check(keys);
  if (name === "compare_set") return text(await store.compareSet(key, bytes(1), bytes(2)));
  if (name === "num_keys") return await store.keyCount();
  if (name === "delete_key") return await store.deleteKey(key);
  assert.equal(name, "wait");
  return await store.wait(keys, { timeout: Number(args[1]) }).then(
    () => "ready",
    () => "timeout",
  );
}

describe("recorded from torch's TCPStore", () => {
  const recorded = read("torch-client");

  test("our server answers torch's client byte for byte", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const socket = await openRaw(server.port);
    await play(socket, recorded.exchange, "c");
    socket.end();
    await server.close();
  });

  test("our client says what torch's client says, and understands the answers", async () => {
    let played: Promise<void> = Promise.reject(new Error("nobody connected"));
    played.catch(() => {});
    const server = await serveRaw((socket) => {
      played = play(socket, recorded.exchange, "s");
      return played;
    });
    const nonce = Buffer.from(recorded.exchange[1][1], "hex").readUInt32LE();
    const store = await connectTcpStore({ host, port: server.port, clock, nonce });
    for (const [index, operation] of recorded.operations.entries()) {
      assert.deepEqual(await operate(store, operation), recorded.results[index], JSON.stringify(operation));
    }
    await store.close();
    await played;
    await server.close();
  });
});

describe("recorded from vLLM's StatelessProcessGroup", () => {
  test("rank 0 of ours serves rank 1 of vLLM: objects, gathering, two barriers", async () => {
    const recorded = read("vllm-rank-1");
    const server = await listenTcpStore({ host, port: 0, clock });
    const uuids: string[] = [...recorded.uuids];
    const options = { host, port: 0, rank: 0, worldSize: 2, clock, server };
    const joining = joinProcessGroup({ ...options, random: { ...random, uuid: () => uuids.shift() ?? "none left" } });
    // Rank 0 joins first, as it did in the recording.
    await server.waitForMembers(1);
    const socket = await openRaw(server.port);
    const played = play(socket, recorded.exchange, "c");
    const group = await joining;
    for (const [name, ...args] of recorded.steps) {
      if (name === "barrier") await group.barrier();
      else if (name === "broadcast") {
        const given = args[0] === 0 ? fromJson(args[1]) : null;
        assert.deepEqual(toJson(await group.broadcastObject(given, args[0])), args[1]);
      } else assert.deepEqual((await group.allGatherObjects(args[0][0])).map(toJson), args[0]);
    }
    await played;
    assert.equal(server.members, 2);
    socket.end();
    await group.close();
  });
});

describe("recorded from vLLM's packed transfer", () => {
  const { cases } = read("packed-runs") as { cases: { limit: number; sizes: number[]; runs: number[] }[] };
  for (const { limit, sizes, runs } of cases) {
    test(`a run ends where vLLM ends it: ${limit} bytes`, async () => {
      const tensors = sizes.map((size, index) => ({ name: String(index), dtype: "U8" as const, shape: [size] }));
      const ours: number[] = [];
      for await (const run of toRuns(tensors, limit)) ours.push(run.length);
      assert.deepEqual(ours, runs);
    });
  }
});

describe("recorded from CPython's pickle", () => {
  const { taken, refused } = read("pickles") as {
    taken: { value: Json; protocol: number; hex: string }[];
    refused: { name: string; says: string; hex: string }[];
  };

  test("values of protocols 3, 4 and 5 are read", () => {
    for (const { value, hex: bytes } of taken) assert.deepEqual(toJson(readPickle(hex(bytes))), value);
    assert.ok(taken.length >= 45);
  });

  test("written as CPython writes them with protocol 4", () => {
    for (const { value, hex: bytes, protocol } of taken) {
      if (protocol === 4) assert.equal(Buffer.from(toPickle(fromJson(value))).toString("hex"), bytes);
    }
  });

  for (const { name, says, hex: bytes } of refused) {
    test(`${name} is refused by name`, () => {
      assert.throws(
        () => readPickle(hex(bytes)),
        (error: Error) => error.name === "GatewayError" && error.message.includes(says),
      );
    });
  }
});
