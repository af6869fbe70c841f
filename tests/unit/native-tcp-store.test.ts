/** TCPStore: bounds, deadlines and faults of our server and client. What torch says is in native-recordings.test.ts. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import type { GatewayError } from "../../src/errors.ts";
import { toMessage } from "../../src/worker/native/tcp-store-bytes.ts";
import { connectTcpStore } from "../../src/worker/native/tcp-store-client.ts";
import { listenTcpStore, type TcpStoreServer } from "../../src/worker/native/tcp-store-server.ts";
import { QUERY, VALIDATION_MAGIC } from "../../src/worker/native/tcp-store-wire.ts";
import { clock } from "../native/clock.ts";
import { openRaw, serveRaw } from "../native/sockets.ts";

const host = "127.0.0.1";
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const vector = (value: string) => [{ u64: text(value).length }, text(value)];
const HELLO = toMessage({ u8: QUERY.validate }, { u32: VALIDATION_MAGIC });
const TWO_TO_63 = { i64: -(2n ** 63n) };
const fails = (code: string, ...says: string[]) => {
  return (error: GatewayError) => {
    assert.equal(error.code, code, error.message);
    for (const words of says) assert.ok(error.message.includes(words), `"${error.message}" lacks "${words}"`);
    return true;
  };
};

describe("server", () => {
  const faults: GatewayError[] = [];
  let server: TcpStoreServer;
  before(async () => {
    const limits = { valueBytes: 1000, storeBytes: 5000, storeKeys: 20, keysPerRequest: 8, requestBytes: 3000 };
    const onFault = (error: GatewayError): void => void faults.push(error);
    const times = { handshakeTimeout: 300, requestTimeout: 300 };
    server = await listenTcpStore({ host, port: 0, clock, limits, onFault, maxConnections: 8, ...times });
  });
  after(() => server.close());

  const refusals: Record<string, [code: string, says: string, bytes: Uint8Array]> = {
    "no VALIDATE first": ["sync_failed", "VALIDATE", toMessage({ u8: QUERY.get }, ...vector("/a"))],
    "a wrong magic": ["sync_failed", "magic", toMessage({ u8: QUERY.validate }, { u32: 1 })],
    "a second VALIDATE": ["sync_failed", "second VALIDATE", toMessage(HELLO, HELLO)],
    "an HTTP request": ["sync_failed", "unknown query type 71", text("GET / HTTP/1.1\r\n\r\n")],
    "a query of torch's that rendezvous does not use": ["sync_failed", "QUEUE_PUSH", toMessage(HELLO, { u8: 14 })],
    "a key of 2^63 bytes": ["sync_failed", "9223372036854775808", toMessage(HELLO, { u8: QUERY.get }, TWO_TO_63)],
    "a value of 2^63 bytes": [
      "sync_failed",
      "9223372036854775808",
      toMessage(HELLO, { u8: QUERY.set }, ...vector("/a"), TWO_TO_63),
    ],
    "2^63 keys": ["sync_failed", "9223372036854775808", toMessage(HELLO, { u8: QUERY.wait }, TWO_TO_63)],
    "a key that is not UTF-8": [
      "sync_failed",
      "UTF-8",
      toMessage(HELLO, { u8: QUERY.get }, { u64: 2 }, new Uint8Array([0xff, 0xfe])),
    ],
    "ADD to a text": [
      "sync_failed",
      "no number",
      toMessage(HELLO, { u8: QUERY.set }, ...vector("/t"), ...vector("x"), { u8: QUERY.add }, ...vector("/t"), {
        i64: 1n,
      }),
    ],
    "two WAITs at once": [
      "sync_failed",
      "second WAIT",
      toMessage(HELLO, ...[1, 2].flatMap(() => [{ u8: QUERY.wait }, { u64: 1 }, ...vector("/never")])),
    ],
    "a value that grows over the limit": [
      "limit_exceeded",
      "full",
      toMessage(HELLO, ...[1, 2].flatMap(() => [{ u8: QUERY.append }, ...vector("/grow"), ...vector("x".repeat(600))])),
    ],
    "many values that are each allowed, and too much together": [
      "sync_failed",
      "a value of length 900",
      toMessage(
        HELLO,
        { u8: QUERY.multiSet },
        { u64: 4 },
        ...[1, 2, 3, 4].flatMap((key) => [...vector(`/v${key}`), ...vector("x".repeat(900))]),
      ),
    ],
    "a request that never ends": ["deadline_exceeded", "not complete", toMessage(HELLO, { u8: QUERY.get }, { u64: 5 })],
    silence: ["deadline_exceeded", "VALIDATE", new Uint8Array(0)],
  };
  for (const [name, [code, says, bytes]] of Object.entries(refusals)) {
    test(`closes on ${name}, and goes on serving`, async () => {
      faults.length = 0;
      const socket = await openRaw(server.port);
      socket.send(bytes);
      await socket.closed;
      assert.equal(faults.length, 1);
      fails(code, says)(faults[0]!);
      const store = await connectTcpStore({ host, port: server.port, clock });
      assert.equal(await store.add("alive", 1n), await store.add("alive", 0n));
      await store.close();
    });
  }

  test("a full store refuses more, and takes again after a deletion", async () => {
    const store = await connectTcpStore({ host, port: server.port, clock });
    for (let index = 0; index < 3; index += 1) await store.set(`big/${index}`, new Uint8Array(1000));
    await store.ping();
    const other = await connectTcpStore({ host, port: server.port, clock });
    const refused = other.set("big/3", new Uint8Array(1000)).then(() => other.ping());
    await assert.rejects(refused, fails("sync_failed"));
    assert.equal(await store.deleteKey("big/0"), true);
    await store.set("big/3", new Uint8Array(1000));
    await store.ping();
    assert.equal(await store.deleteKey("big/3"), true);
    await store.close();
  });

  test("MULTI_GET may not unfold a value without bound", async () => {
    const socket = await openRaw(server.port);
    const large = vector("x".repeat(900));
    const keys = Array.from({ length: 8 }, () => vector("/m")).flat();
    socket.send(
      toMessage(HELLO, { u8: QUERY.set }, ...vector("/m"), ...large, { u8: QUERY.multiGet }, { u64: 8 }, ...keys),
    );
    await socket.closed;
    assert.match(faults.at(-1)?.message ?? "", /MULTI_GET of 7200 bytes/);
  });

  test("more connections than allowed are closed", async () => {
    const sockets = [];
    while (server.connections < 8) {
      const socket = await openRaw(server.port);
      socket.send(HELLO);
      socket.send(toMessage({ u8: QUERY.ping }, { u32: 1 }));
      await socket.receive(4);
      sockets.push(socket);
    }
    const surplus = await openRaw(server.port);
    await surplus.closed;
    assert.match(faults.at(-1)?.message ?? "", /more than 8 connections/);
    for (const socket of sockets) socket.end();
  });

  test("a taken port is a conflict that says so", async () => {
    await assert.rejects(listenTcpStore({ host, port: server.port, clock }), fails("conflict", "in use"));
    await assert.rejects(listenTcpStore({ host, port: 65_536, clock }), fails("invalid_value", "65535"));
    await assert.rejects(listenTcpStore({ host: "192.0.2.1", port: 0, clock }), fails("invalid_value", "192.0.2.1"));
  });
});

describe("client", () => {
  test("connects to a server that starts later", async () => {
    const first = await listenTcpStore({ host, port: 0, clock });
    const port = first.port;
    await first.close();
    const connecting = connectTcpStore({ host, port, clock, timeout: 10_000 });
    await new Promise((resolve) => clock.timer(100, () => resolve(undefined)));
    const server = await listenTcpStore({ host, port, clock });
    const store = await connecting;
    assert.equal(await store.keyCount(), 0);
    await store.close();
    await server.close();
  });

  test("nobody there: deadline, with the system's reason; an abort ends it at once", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const { port } = server;
    await server.close();
    await assert.rejects(connectTcpStore({ host, port, clock, timeout: 200 }), fails("deadline_exceeded", `${port}`));
    const signal = AbortSignal.abort(new Error("left"));
    await assert.rejects(connectTcpStore({ host, port, clock, signal }), /left/);
  });

  test("a wildcard address is refused before anything is sent", async () => {
    for (const wildcard of ["0.0.0.0", "::", ""]) {
      await assert.rejects(connectTcpStore({ host: wildcard, port: 1, clock }), fails("invalid_value", "reach"));
    }
    await assert.rejects(connectTcpStore({ host, port: 0, clock }), fails("invalid_value", "65535"));
  });

  test("a server of another kind is told from a slow one", async () => {
    const server = await serveRaw(async (socket) => {
      await socket.receive(1);
      socket.send(text("HTTP/1.1 400 Bad Request\r\n\r\n"));
    });
    await assert.rejects(connectTcpStore({ host, port: server.port, clock }), fails("sync_failed", "no TCPStore"));
    await server.close();
  });

  test("a wait in vain ends at its deadline or abort, and the connection serves on", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const store = await connectTcpStore({ host, port: server.port, clock });
    await assert.rejects(store.get("never", { timeout: 50 }), fails("deadline_exceeded", "never", "50 ms"));
    const controller = new AbortController();
    const waiting = store.wait(["never"], { signal: controller.signal });
    const queued = store.keyCount();
    clock.timer(30, () => controller.abort(new Error("left")));
    await assert.rejects(waiting, /left/);
    assert.equal(await queued, 0);
    await store.set("now", text("x"));
    assert.deepEqual(await store.get("now"), text("x"));
    await store.close();
    await assert.rejects(store.keyCount(), fails("sync_failed", "closed"));
    await server.close();
  });

  test("a call that is aborted while it waits for its turn leaves the others alone", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const store = await connectTcpStore({ host, port: server.port, clock });
    const first = store.wait(["never"], { timeout: 200 });
    const second = store.set("skipped", text("x"), { timeout: 20 });
    const third = store.check(["skipped"]);
    await assert.rejects(second, fails("deadline_exceeded"));
    await assert.rejects(first, fails("deadline_exceeded"));
    assert.equal(await third, false);
    await store.close();
    await server.close();
  });

  test("the server's end aborts `lost` and every call", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const store = await connectTcpStore({ host, port: server.port, clock });
    const waiting = store.get("never");
    const lost = new Promise((resolve) => store.lost.addEventListener("abort", resolve));
    clock.timer(30, () => void server.close());
    await assert.rejects(waiting, fails("sync_failed"));
    await lost;
    await assert.rejects(store.ping(), fails("sync_failed"));
  });

  const hello = async (socket: { receive(count: number): Promise<Uint8Array>; send(bytes: Uint8Array): void }) => {
    const greeting = await socket.receive(10);
    socket.send(greeting.slice(6));
  };
  const bad: Record<string, [answer: Uint8Array, says: string]> = {
    "a value of 2^63 bytes": [toMessage({ u8: 0 }, TWO_TO_63), "9223372036854775808"],
    "an unknown answer to WAIT": [new Uint8Array([9]), "answered WAIT with 9"],
    "more than was asked": [toMessage({ u8: 0 }, ...vector("x"), text("more")), "nobody asked"],
  };
  for (const [name, [answer, says]] of Object.entries(bad)) {
    test(`refuses ${name}, and closes`, async () => {
      const server = await serveRaw(async (socket) => {
        await hello(socket);
        await socket.receive(1);
        socket.send(answer);
        await socket.closed;
      });
      const store = await connectTcpStore({ host, port: server.port, clock });
      const both = store.get("a", { timeout: 5000 }).then(() => store.get("b", { timeout: 5000 }));
      await assert.rejects(both, fails("sync_failed", says));
      assert.equal(store.lost.aborted, true);
      await server.close();
    });
  }

  test("a server that answers nothing, not even the cancellation, costs a bounded time", async () => {
    const server = await serveRaw(async (socket) => {
      await hello(socket);
      await socket.closed;
    });
    const quick = { ...clock, timer: (_: number, callback: () => void) => clock.timer(40, callback) };
    const store = await connectTcpStore({ host, port: server.port, clock: quick });
    await assert.rejects(store.get("never"), fails("deadline_exceeded"));
    assert.equal(store.lost.aborted, true);
    await server.close();
  });

  test("large values pass both ways; larger ones are refused here", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const store = await connectTcpStore({ host, port: server.port, clock });
    const large = new Uint8Array(3_000_000).map((_, index) => index % 251);
    await store.set("large", large);
    assert.equal(Buffer.compare(await store.get("large"), large), 0);
    await assert.rejects(store.set("x", new Uint8Array(9_000_000)), fails("invalid_value", "8388608"));
    await store.close();
    await server.close();
  });
});
