/**
 * Mutated peers of the rendezvous: neither a crash, nor a hang, nor memory over the bound. `TIDEGATE_FUZZ_FRAMES=100000`
 * makes the long run; without it each property sees 2000 frames (sockets: a tenth).
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { readPickle } from "../../src/worker/native/pickle-read.ts";
import { connectTcpStore } from "../../src/worker/native/tcp-store-client.ts";
import { listenTcpStore } from "../../src/worker/native/tcp-store-server.ts";
import { TcpStoreState } from "../../src/worker/native/tcp-store-state.ts";
import { DEFAULT_TCP_STORE_LIMITS, TcpStoreParser } from "../../src/worker/native/tcp-store-wire.ts";
import { clock } from "../native/clock.ts";
import { mutated } from "../native/mutate.ts";
import { openRaw, serveRaw } from "../native/sockets.ts";

const frames = Number(process.env.TIDEGATE_FUZZ_FRAMES ?? 2000);
const seed = Number(process.env.TIDEGATE_FUZZ_SEED ?? 412);
const runs = { numRuns: frames, seed };
const socketRuns = { numRuns: Math.ceil(frames / 10), seed };
const LONG = 600_000;

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/rendezvous/${name}.json`, import.meta.url), "utf8"));
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
type Exchange = ["c" | "s", string][];
const exchanges: Exchange[] = [read("torch-client").exchange, read("vllm-rank-1").exchange];
const said = (side: "c" | "s"): Uint8Array[] =>
  exchanges.flatMap((exchange) => exchange.filter(([speaker]) => speaker === side).map(([, bytes]) => hex(bytes)));
const HELLO = said("c")[0]!.slice(0, 5);
const pickles: Uint8Array[] = [...read("pickles").taken, ...read("pickles").refused]
  .map(({ hex: bytes }: { hex: string }) => hex(bytes))
  .filter((bytes) => bytes.length < 1000);

const SMALL = { ...DEFAULT_TCP_STORE_LIMITS, valueBytes: 4096, storeBytes: 16_384, storeKeys: 64, requestBytes: 8192 };

/** Feeds bytes in the given pieces; true when the peer was refused. Anything but a GatewayError is a crash. */
function feed(state: TcpStoreState, bytes: Uint8Array, cuts: readonly number[]): boolean {
  const peer = { send: () => {} };
  const parser = new TcpStoreParser(SMALL);
  let at = 0;
  try {
    for (const size of [...cuts, bytes.length]) {
      parser.push(bytes.subarray(at, at + size));
      at += size;
      for (let request = parser.next(); request !== undefined; request = parser.next()) state.handle(peer, request);
    }
    return false;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return true;
  } finally {
    state.leave(peer);
  }
}

describe(`mutated peers (${frames} frames, seed ${seed})`, () => {
  test("the server's parser and store", { timeout: LONG }, () => {
    let refused = 0;
    let state = new TcpStoreState(SMALL);
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 });
    fc.assert(
      fc.property(mutated(said("c")), cuts, (bytes, pieces) => {
        if (feed(state, Buffer.concat([HELLO, bytes]), pieces)) refused += 1;
        assert.ok(state.bytes <= SMALL.storeBytes && state.size <= SMALL.storeKeys);
        assert.equal(state.waiting, 0);
        assert.equal(state.members, 0);
        if (state.bytes > SMALL.storeBytes / 2) state = new TcpStoreState(SMALL);
      }),
      runs,
    );
    // Both happen often, or the mutations are too tame or too wild to prove anything.
    assert.ok(refused > frames / 20 && refused < (frames * 19) / 20, `${refused} refused`);
  });

  test("the parser does not depend on how the bytes are cut", { timeout: LONG }, () => {
    const parse = (bytes: Uint8Array, step: number): unknown[] => {
      const parser = new TcpStoreParser(SMALL);
      const found: unknown[] = [];
      try {
        for (let at = 0; at < bytes.length; at += step) {
          parser.push(bytes.subarray(at, at + step));
          for (let request = parser.next(); request !== undefined; request = parser.next()) found.push(request);
        }
      } catch (error) {
        found.push((error as GatewayError).message);
      }
      return found;
    };
    fc.assert(
      fc.property(mutated(said("c")), (bytes) => assert.deepEqual(parse(bytes, 1), parse(bytes, 1e6))),
      runs,
    );
  });

  test("the reader of pickles", { timeout: LONG }, () => {
    let refused = 0;
    fc.assert(
      fc.property(mutated(pickles), (bytes) => {
        try {
          readPickle(bytes);
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
          refused += 1;
        }
      }),
      runs,
    );
    assert.ok(refused > frames / 2, `${refused} refused`);
  });

  test("a live server goes on serving, and forgets its dead", { timeout: LONG }, async () => {
    const times = { handshakeTimeout: 200, requestTimeout: 200 };
    const server = await listenTcpStore({ host: "127.0.0.1", port: 0, clock, limits: SMALL, ...times });
    await fc.assert(
      fc.asyncProperty(mutated(said("c")), async (bytes) => {
        const socket = await openRaw(server.port);
        socket.send(HELLO);
        socket.send(bytes);
        // Enough that the server has read it, then the peer is gone in the middle of whatever it said.
        await Promise.race([socket.closed, new Promise((resolve) => clock.timer(1, () => resolve(undefined)))]);
        socket.end();
        assert.ok(server.bytes <= SMALL.storeBytes && server.size <= SMALL.storeKeys);
      }),
      socketRuns,
    );
    const store = await connectTcpStore({ host: "127.0.0.1", port: server.port, clock });
    assert.equal(await store.check(["no such key"]), false);
    for (let turn = 0; server.connections > 1 && turn < 500; turn += 1) {
      await new Promise((resolve) => clock.timer(10, () => resolve(undefined)));
    }
    assert.equal(server.connections, 1);
    await store.close();
    await server.close();
  });

  test("our client ends with a value or an error, within its deadline", { timeout: LONG }, async () => {
    let answers: Uint8Array = new Uint8Array(0);
    const server = await serveRaw(async (socket) => {
      const greeting = await socket.receive(10);
      socket.send(greeting.slice(6));
      await socket.receive(1);
      socket.send(answers);
      await socket.closed;
    });
    const connection = { host: "127.0.0.1", port: server.port, valueBytes: 4096 };
    // Connecting takes its time; after that every wait is short, the client's own grace for CANCEL_WAIT included.
    let limit = 5000;
    const hasty = { ...clock, timer: (time: number, done: () => void) => clock.timer(Math.min(time, limit), done) };
    await fc.assert(
      fc.asyncProperty(mutated(said("s")), fc.constantFrom("get", "add", "compareSet"), async (bytes, call) => {
        answers = bytes;
        limit = 5000;
        const store = await connectTcpStore({ ...connection, clock: hasty });
        limit = 15;
        const value = new Uint8Array(1);
        const attempt =
          call === "get" ? store.get("k") : call === "add" ? store.add("k", 1n) : store.compareSet("k", value, value);
        const outcome = await attempt.then(
          (result) => result,
          (error) => error,
        );
        if (outcome instanceof Error) assert.ok(outcome instanceof GatewayError, String(outcome));
        else if (outcome instanceof Uint8Array) assert.ok(outcome.length <= 4096);
        await store.close();
      }),
      socketRuns,
    );
    await server.close();
  });

  test("announced lengths cost nothing until their bytes come", () => {
    const lengths = [2n ** 63n, 2n ** 40n, 8n * 2n ** 20n];
    const before = process.memoryUsage().rss;
    const parsers = Array.from({ length: 300 }, (_, index) => {
      const parser = new TcpStoreParser(DEFAULT_TCP_STORE_LIMITS);
      const frame = Buffer.alloc(19);
      frame[0] = 1;
      frame.writeBigUInt64LE(2n, 1);
      frame.write("/k", 9);
      frame.writeBigUInt64LE(lengths[index % lengths.length]!, 11);
      parser.push(frame);
      try {
        parser.next();
      } catch (error) {
        assert.ok(error instanceof GatewayError);
      }
      return parser;
    });
    // A hundred of them wait for 8 MiB each: 800 MiB if the length were believed.
    assert.equal(parsers.filter((parser) => parser.partial).length, 300);
    assert.ok(process.memoryUsage().rss - before < 200 * 2 ** 20);
  });
});
